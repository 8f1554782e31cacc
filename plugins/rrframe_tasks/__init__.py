"""The tasks that come with rrframe: nine, and two that the published model was shown on without training for them."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_tasks() -> Iterator[Spec]:
    yield Spec("blur", "rrframe_tasks.nine:Blur", "Motion blur, camera shake, defocus.")
    yield Spec(
        "compression", "rrframe_tasks.nine:Compression", "Blocks, ringing and lost detail from codecs and resizing."
    )
    yield Spec("flare", "rrframe_tasks.nine:Flare", "Lens flare, streaks and glare from lights.")
    yield Spec("haze", "rrframe_tasks.nine:Haze", "Haze, fog and mist.")
    yield Spec("lowlight", "rrframe_tasks.nine:LowLight", "Underexposure, with the noise that comes with it.")
    yield Spec("moire", "rrframe_tasks.nine:Moire", "Moire from photographed screens and fine patterns.")
    yield Spec("noise", "rrframe_tasks.nine:Noise", "Sensor noise, grain and web noise.")
    yield Spec("oldphoto", "rrframe_tasks.nine:OldPhoto", "Faded, scratched and stained prints.")
    yield Spec("rain", "rrframe_tasks.nine:Rain", "Rain streaks, splashes and drops.")
    yield Spec("reflection", "rrframe_tasks.nine:Reflection", "Reflections in glass.")
    yield Spec("snow", "rrframe_tasks.nine:Snow", "Falling snow.")
