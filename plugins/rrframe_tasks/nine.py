"""The nine categories with the fixed prompts that RealRestorer (arXiv 2603.25502) trains and scores with, and
two that it was only shown on, snow and old photographs; their prompts, of the same form, and the severity words are
ours.
"""

from __future__ import annotations

from rrframe import Task


class Blur(Task):
    prompts = {"en": "Please deblur the image and make it sharper", "zh": "请将图像去模糊，变得更清晰。"}
    words = ("unrecognisably blurred", "strongly blurred", "clearly blurred", "slightly soft", "sharp")


class Compression(Task):
    prompts = {"en": "Please restore the image clarity and artifacts.", "zh": "请修复图像清晰度和伪影。"}
    words = (
        "blocks hide the subject",
        "strong blocks and ringing",
        "clear artefacts",
        "slight artefacts",
        "no artefacts",
    )


class Flare(Task):
    prompts = {"en": "Please remove the lens flare and glare from the image.", "zh": "请去除图像中的光晕和炫光。"}
    words = ("flare covers the subject", "strong flare and glare", "clear flare", "slight flare", "no flare")


class Haze(Task):
    prompts = {"en": "Please dehaze the image", "zh": "请将图像去雾。"}
    words = ("almost nothing visible", "dense haze", "clear haze", "slight haze", "clear air")


class LowLight(Task):
    prompts = {
        "en": "Please restore this low-quality image, recovering its normal brightness and clarity.",
        "zh": "请修复这张低质量图像，恢复其正常的亮度和清晰度。",
    }
    words = ("almost black", "very dark", "clearly underexposed", "slightly dark", "well exposed")


class Moire(Task):
    prompts = {"en": "Please remove the moiré patterns from the image", "zh": "请将图像中的摩尔条纹去除"}
    words = ("moire covers the subject", "strong moire", "clear moire", "slight moire", "no moire")


class Noise(Task):
    prompts = {"en": "Please remove noise from the image.", "zh": "请去除图像中的噪声。"}
    words = ("noise hides the subject", "strong noise", "clear noise", "slight noise", "no noise")


class OldPhoto(Task):
    prompts = {
        "en": "Please restore this old photo, removing scratches and recovering its colours.",
        "zh": "请修复这张老照片，去除划痕并恢复其色彩。",
    }
    words = ("damage hides the subject", "strong damage and fading", "clear damage", "slight damage", "as new")


class Rain(Task):
    prompts = {
        "en": "Please remove the rain from the image and restore its clarity.",
        "zh": "请去除图像中的雨水并恢复图像清晰度",
    }
    words = ("rain hides the subject", "heavy rain", "clear rain", "slight rain", "no rain")


class Reflection(Task):
    prompts = {"en": "Please remove the reflection from the image.", "zh": "请移除图像中的反光"}
    words = (
        "the reflection hides the subject",
        "strong reflection",
        "clear reflection",
        "slight reflection",
        "no reflection",
    )


class Snow(Task):
    prompts = {
        "en": "Please remove the snow from the image and restore its clarity.",
        "zh": "请去除图像中的雪并恢复图像清晰度",
    }
    words = ("snow hides the subject", "heavy snow", "clear snow", "slight snow", "no snow")
