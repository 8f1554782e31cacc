"""Step1X-Edit as a pipeline of diffusers: its parts together, in a folder that ``from_pretrained`` reads."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DiffusionPipeline

from rrframe_backbones.step1x.restorer import Step1XEdit


class Step1XEditPipeline(DiffusionPipeline):
    """The parts of Step1X-Edit, to be saved, loaded, moved and offloaded as diffusers does.

    ```python
    pipeline = Step1XEditPipeline.from_pretrained("realrestorer", torch_dtype=torch.bfloat16).to("cuda")
    clean = pipeline(photograph, "Please dehaze the image")
    ```

    Args:
        transformer: A ``Step1XEditTransformer``.
        vae: An ``AutoencoderKL`` with the constants of Flux; it stays in float32.
        text_encoder: Qwen2.5-VL, with a language head or without.
        processor: A ``Step1XProcessor``.
        scheduler: That of Flux.
    """

    model_cpu_offload_seq = "text_encoder->transformer->vae"

    def __init__(self, transformer: Any, vae: Any, text_encoder: Any, processor: Any, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(
            transformer=transformer, vae=vae, text_encoder=text_encoder, processor=processor, scheduler=scheduler
        )

    @classmethod
    def of(cls, restorer: Step1XEdit) -> Step1XEditPipeline:
        """The parts of ``restorer``."""
        frozen = (restorer.part(part) for part in ("vae", "text_encoder", "processor"))
        return cls(restorer.network, *frozen, restorer.scheduler())

    def restorer(self, **params: Any) -> Step1XEdit:
        """A ``backbone/step1x-edit`` of these very parts, set by ``params``."""
        dtype = str(self.transformer.dtype).removeprefix("torch.")
        settings = {"version": self.transformer.config.version, "dtype": dtype, "device": str(self._execution_device)}
        found = Step1XEdit.make(settings | params)
        found.hold(self.transformer, vae=self.vae, text_encoder=self.text_encoder, processor=self.processor)
        return found

    @torch.inference_mode()
    def __call__(
        self,
        image: Any,
        prompt: str,
        *,
        num_inference_steps: int = 28,
        guidance_scale: float = 3.0,
        seed: int = 0,
        pixels: int = 1024 * 1024,
    ) -> Any:
        """``image`` restored as ``prompt`` says.

        Args:
            image: A Pillow image, a numpy array or a tensor of any size, given back as the same type.
            prompt: What to do.
            num_inference_steps: Steps from noise to picture.
            guidance_scale: How many times as far to follow the prompt; up to 1: off.
            seed: Names the noise.
            pixels: How many the picture has about in all while it is restored.
        """
        settings = {"prompt": prompt, "steps": num_inference_steps, "guidance": guidance_scale, "seed": seed}
        return self.restorer(pixels=pixels)(image, "", **settings)
