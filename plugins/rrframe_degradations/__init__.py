"""The degradations that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_degradations() -> Iterator[Spec]:
    yield Spec(
        "blur/camera-shake",
        "rrframe_degradations.blur.shake:CameraShake",
        "A hand-held camera that turns and rolls: the mean of many homographies.",
    )
    yield Spec(
        "blur/clip", "rrframe_degradations.blur.clip:Clip", "A longer exposure: the mean of the frames of a clip."
    )
    yield Spec(
        "blur/defocus", "rrframe_degradations.blur.defocus:Defocus", "Out of focus all over: a disc or a polygon."
    )
    yield Spec(
        "blur/depth-of-field",
        "rrframe_degradations.blur.depth_of_field:DepthOfField",
        "A lens focused at one distance, by a depth map.",
    )
    yield Spec(
        "blur/gaussian",
        "rrframe_degradations.blur.gaussian:Gaussian",
        "Smooth kernels: Gaussian, elliptic, generalised.",
    )
    yield Spec(
        "blur/motion",
        "rrframe_degradations.blur.motion:Motion",
        "The trail of one shaky path, the same all over the image.",
    )
    yield Spec("blur/sinc", "rrframe_degradations.blur.sinc:Sinc", "The ideal low-pass filter, whose edges ring.")
    yield Spec(
        "compression/avif",
        "rrframe_degradations.compression.stills:Avif",
        "AVIF at a quality and a chroma subsampling.",
    )
    yield Spec(
        "compression/jpeg",
        "rrframe_degradations.compression.stills:Jpeg",
        "JPEG at a quality and a chroma subsampling.",
    )
    yield Spec(
        "compression/recompress",
        "rrframe_degradations.compression.recompress:Recompress",
        "Several generations of JPEG, resized and shifted between.",
    )
    yield Spec(
        "compression/video",
        "rrframe_degradations.compression.video:Video",
        "A single frame of H.264 or H.265 video.",
        extra="rrframe[video]",
    )
    yield Spec("compression/webp", "rrframe_degradations.compression.stills:Webp", "Lossy WebP at a quality.")
    yield Spec(
        "flare/ghosts",
        "rrframe_degradations.flare.ghosts:Ghosts",
        "Reflections between lenses, opposite the light sources.",
    )
    yield Spec("flare/lens", "rrframe_degradations.flare.lens:Lens", "All that a lens makes of one light source.")
    yield Spec("flare/library", "rrframe_degradations.flare.captured:Layers", "Captured flares from a folder.")
    yield Spec(
        "flare/pupil",
        "rrframe_degradations.flare.pupil:Pupil",
        "Starbursts and shimmer: diffraction at a dirty aperture.",
    )
    yield Spec("flare/streak", "rrframe_degradations.flare.streak:Streak", "Lines of light: anamorphic, smears, stars.")
    yield Spec("flare/veil", "rrframe_degradations.flare.veil:Veil", "Veiling glare that lifts the blacks.")
    yield Spec(
        "haze/heterogeneous",
        "rrframe_degradations.haze:Heterogeneous",
        "Fog in patches that lies on the ground and thins upwards.",
    )
    yield Spec("haze/library", "rrframe_degradations.haze:Layers", "Captured haze from a folder, laid over.")
    yield Spec(
        "haze/scattering", "rrframe_degradations.haze:Scattering", "Uniform haze by atmospheric scattering over depth."
    )
    yield Spec(
        "lowlight/exposure",
        "rrframe_degradations.lowlight.exposure:Exposure",
        "A photograph with too little light, through a camera's raw files.",
    )
    yield Spec("lowlight/gamma", "rrframe_degradations.lowlight.exposure:Gamma", "A dark picture by a gamma curve.")
    yield Spec(
        "lowlight/learned",
        "rrframe_degradations.lowlight.learned:Learned",
        "Darkening by a network; weights of your own.",
    )
    yield Spec("moire/pattern", "rrframe_degradations.moire.pattern:Pattern", "Moire patterns of a library, laid over.")
    yield Spec("moire/screen", "rrframe_degradations.moire.screen:Screen", "A display photographed: coloured bands.")
    yield Spec(
        "noise/density-average",
        "rrframe_degradations.noise.plain:DensityAverage",
        "Averaging where it is busy, as simple noise reduction.",
    )
    yield Spec("noise/gaussian", "rrframe_degradations.noise.plain:Gaussian", "White Gaussian noise.")
    yield Spec(
        "noise/granular", "rrframe_degradations.noise.grain:Granular", "Film grain, whose size is the picture's."
    )
    yield Spec("noise/poisson", "rrframe_degradations.noise.photons:Poisson", "Poisson noise as augmentations add it.")
    yield Spec(
        "noise/poisson-gaussian",
        "rrframe_degradations.noise.photons:PoissonGaussian",
        "Shot and read noise of a sensor, in linear light.",
    )
    yield Spec(
        "noise/salt-pepper", "rrframe_degradations.noise.plain:SaltPepper", "Single pixels turned white or black."
    )
    yield Spec(
        "noise/sensor",
        "rrframe_degradations.noise.sensor:SensorNoise",
        "A camera's noise, through its mosaic and processing.",
    )
    yield Spec(
        "oldphoto/fade", "rrframe_degradations.oldphoto:Fade", "Faded dyes, yellowed paper, one tone for all colours."
    )
    yield Spec("oldphoto/scratches", "rrframe_degradations.oldphoto:Scratches", "Scratches, creases, hairs and specks.")
    yield Spec("rain/lens-drops", "rrframe_degradations.rain.lens:LensDrops", "Drops on the lens or on a window.")
    yield Spec("rain/library", "rrframe_degradations.rain.layers:Layers", "Captured rain from a folder, blended in.")
    yield Spec("rain/splash", "rrframe_degradations.rain.splash:Splash", "Crowns of spray on what faces upwards.")
    yield Spec(
        "rain/storm", "rrframe_degradations.rain.storm:Storm", "Veil, splashes, streaks and lens drops from one rate."
    )
    yield Spec("rain/streaks", "rrframe_degradations.rain.streaks:Streaks", "Falling drops, faint and many.")
    yield Spec("rain/veil", "rrframe_degradations.rain.veil:Veil", "What rain does to the distance.")
    yield Spec(
        "reflection/glass",
        "rrframe_degradations.reflection.glass:Glass",
        "Another scene in a window: Fresnel, blur, double image.",
    )
    yield Spec(
        "reflection/learned",
        "rrframe_degradations.reflection.learned:Learned",
        "Another scene, mixed by a network; weights of your own.",
    )
    yield Spec("snow/flakes", "rrframe_degradations.snow:Flakes", "Falling snow and its white veil.")
