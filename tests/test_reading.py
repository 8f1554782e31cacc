"""Reading photographs: every form of file that is fine, and what is said of every one that is not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from bad_files import encoded, png_file, write_bad_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icc import black_ink_profile, grey_profile, rgb_profile
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from rrframe import RRFrameError
from rrframe.imaging.reading import extensions, measure, read_photograph

ORIENTATION = 274
# Adobe RGB (1998), its matrix to XYZ adapted to D50, from the specification, section 4.3.5.
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


@pytest.fixture
def write(tmp_path: Path):
    def write(data: bytes, name: str = "picture.file") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def read(write):
    return lambda data: read_photograph(write(data))


def patches(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def tiff_of(samples: np.ndarray, **settings: object) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, samples, **settings)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    return made


# Plain pictures
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in ("PNG", "BMP", "TIFF", "PPM", "TGA", "QOI", "DDS", "PCX")),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("JPEG2000", {"irreversible": False}),
    ],
)
def test_lossless_formats_come_back_exactly(read, name, options):
    pixels = patches(37, 53, 3)
    data = encoded(Image.fromarray(pixels), name, **options)
    photograph = read(data)
    assert np.array_equal(photograph.pixels, pixels)
    assert photograph.pixels.dtype == np.uint8
    assert photograph.sha256 == hashlib.sha256(data).hexdigest()
    assert photograph.notes == ()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}, {"keep_rgb": True}]
)
def test_jpeg_is_decoded_as_pillow_does(read, photo, options):
    data = encoded(Image.fromarray(photo[:301, :203]), "JPEG", **options)
    photograph = read(data)
    assert np.array_equal(photograph.pixels, np.asarray(Image.open(BytesIO(data))))
    assert photograph.notes == ()


def test_avif_is_read(read, photo):
    photograph = read(encoded(Image.fromarray(photo), "AVIF", quality=95))
    assert np.abs(photograph.pixels.astype(int) - photo).mean() < 3


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_belong_to_the_caller(read, photo, name, mode):
    pixels = read(encoded(Image.fromarray(photo).convert(mode), name)).pixels
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


# Orientation
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "PNG of 16 bits", "TIFF of 16 bits", "TIFF of floats"])
def test_every_orientation_gives_the_same_upright_picture(read, kind, orientation):
    upright = np.kron(patches(3, 5, 3), np.ones((16, 16, 1), np.uint8))  # whole blocks of JPEG: turning loses nothing
    # A camera stores the upright picture turned the other way; quarter turns are each other's inverse.
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    turned = Image.fromarray(upright)
    turned.getexif()[ORIENTATION] = inverse
    stored = np.asarray(ImageOps.exif_transpose(turned))
    wide, tag = stored.astype(np.uint16) * 257, [(ORIENTATION, "H", 1, orientation, True)]
    if kind == "PNG of 16 bits":
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
        tags = exif(orientation).tobytes().removeprefix(b"Exif\0\0")
        data = png_file(stored.shape[1], stored.shape[0], depth=16, rows=rows, chunks={b"eXIf": tags})
    elif kind == "TIFF of 16 bits":
        data = tiff_of(wide, photometric="rgb", extratags=tag)
    elif kind == "TIFF of floats":
        data = tiff_of((wide / 65535).astype(np.float32), photometric="rgb", extratags=tag)
    else:
        lossless = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
        data = encoded(Image.fromarray(stored), kind, exif=exif(orientation), **lossless)
    photograph = read(data)
    expected = upright if kind in ("JPEG", "PNG", "WEBP", "TIFF") else upright.astype(np.uint16) * 257
    assert photograph.pixels.shape == expected.shape
    assert np.abs(photograph.pixels.astype(int) - expected).max() <= (2 if kind == "JPEG" else 0)
    assert [note for note in photograph.notes if "upright" in note] == (
        [f"turned upright (EXIF {orientation})"] if orientation > 1 else []
    )


def test_exif_after_the_pixels_of_a_png_counts(read, write):
    pixels = patches(4, 6, 3)
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif(6))
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert np.array_equal(read(moved).pixels, np.rot90(pixels, -1))
    assert measure(write(moved))[:2] == (6, 4)


@pytest.mark.parametrize("file", range(12))
def test_a_header_measures_what_reading_gives(file, write):
    path = write(GOOD[file])
    assert measure(path)[:2] == read_photograph(path).pixels.shape[:2]


def test_xmp_of_a_png_turns_what_is_measured_too(write):
    told = PngImagePlugin.PngInfo()
    told.add_itxt("XML:com.adobe.xmp", '<rdf:Description tiff:Orientation="6"/>')
    path = write(encoded(Image.fromarray(patches(4, 6, 3)), "PNG", pnginfo=told))
    assert measure(path)[:2] == read_photograph(path).pixels.shape[:2] == (6, 4)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(read, orientation):
    pixels = patches(4, 6, 3)
    assert np.array_equal(read(encoded(Image.fromarray(pixels), "PNG", exif=exif(orientation))).pixels, pixels)


def test_broken_exif_does_not_cost_the_picture(read, photo):
    plain = encoded(Image.fromarray(photo), "JPEG")
    broken = encoded(Image.fromarray(photo), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert np.array_equal(read(broken).pixels, read(plain).pixels)


# Alpha, palettes, grey
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_opaque_alpha_is_dropped(read, name):
    pixels = patches(9, 7, 4)
    pixels[..., 3] = 255
    photograph = read(encoded(Image.fromarray(pixels), name, **({"lossless": True} if name == "WEBP" else {})))
    assert np.array_equal(photograph.pixels, pixels[..., :3])
    assert photograph.notes in (("opaque alpha dropped",), ())  # WebP leaves it out itself


def over_white(colour: np.ndarray, alpha: np.ndarray, top: int) -> np.ndarray:
    cover = alpha[..., None] / top
    return np.rint(colour * cover + top * (1 - cover))


def test_alpha_is_composited_over_white(read):
    pixels = patches(9, 7, 4)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 255
    photograph = read(encoded(Image.fromarray(pixels), "PNG"))
    assert np.array_equal(photograph.pixels, over_white(pixels[..., :3], pixels[..., 3], 255))
    assert photograph.notes == ("alpha composited over white",)


def test_grey_with_alpha_is_composited_over_white(read):
    pixels = patches(9, 7, 2)
    photograph = read(encoded(Image.fromarray(pixels), "PNG"))
    assert np.array_equal(photograph.pixels, over_white(pixels[..., :1].repeat(3, 2), pixels[..., 1], 255))
    assert photograph.notes == ("grey to RGB", "alpha composited over white")


def test_transparent_entries_of_a_palette_are_composited_over_white(read):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    image = Image.fromarray(indices)
    image.putpalette([10, 20, 30, 200, 100, 0, 7, 7, 7])
    photograph = read(encoded(image, "PNG", transparency=bytes([255, 0, 51])))
    expected = np.array([[10, 20, 30], [255, 255, 255], over_white(np.array([[7, 7, 7]]), np.array([51]), 255)[0]])
    assert np.array_equal(photograph.pixels, expected[indices])
    assert photograph.notes == ("palette to RGB", "alpha composited over white")


@pytest.mark.parametrize("name", ["PNG", "GIF", "TIFF", "BMP"])
def test_palettes_become_rgb(read, name):
    indices = patches(6, 5) % 4
    image = Image.fromarray(indices)
    image.putpalette(palette := [0, 0, 0, 200, 100, 0, 7, 80, 7, 255, 255, 255])
    photograph = read(encoded(image, name))
    assert np.array_equal(photograph.pixels, np.reshape(palette, (4, 3))[indices])
    assert photograph.notes == ("palette to RGB",)


@pytest.mark.parametrize("colour", ["a colour", "a grey"])
def test_a_colour_declared_transparent_becomes_white(read, colour):
    pixels = patches(5, 4, 3) if colour == "a colour" else patches(5, 4)
    clear = tuple(map(int, pixels[2, 2])) if colour == "a colour" else int(pixels[2, 2])
    photograph = read(encoded(Image.fromarray(pixels), "PNG", transparency=clear))
    expected = pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, 2)
    expected = np.where((expected == clear).all(-1, keepdims=True), 255, expected)
    assert (expected == 255).all(-1).any()
    assert np.array_equal(photograph.pixels, expected)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "BMP", "PPM"])
def test_grey_becomes_rgb(read, name):
    pixels = np.full((16, 24), 77, np.uint8)
    photograph = read(encoded(Image.fromarray(pixels), name))
    assert np.array_equal(photograph.pixels, np.full((16, 24, 3), 77))
    assert photograph.notes == ("grey to RGB",)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_is_black_and_white_not_nearly_black(read, name):
    bits = patches(9, 11) > 127
    photograph = read(encoded(Image.fromarray(bits), name))
    assert np.array_equal(photograph.pixels, np.where(bits, 255, 0)[..., None].repeat(3, 2))
    assert len(photograph.notes) == 1


def test_dim_pictures_stay_dim(read):
    """Values of 0 and 1 in an integer picture are nearly black, not black and white."""
    pixels = patches(9, 7, 3) % 2
    assert np.array_equal(read(encoded(Image.fromarray(pixels), "PNG")).pixels, pixels)
    wide = pixels.astype(np.uint16)
    assert np.array_equal(read(cv2.imencode(".png", wide[..., ::-1])[1].tobytes()).pixels, wide)


# Colour
# ----------------------------------------------------------------------------------------------------------------------


def to_srgb(encoded_values: np.ndarray, gamma: float, columns: np.ndarray) -> np.ndarray:
    """By the formulas, apart from any colour engine: power law, matrices, the curve of IEC 61966-2-1."""
    light = (encoded_values / 255.0) ** gamma @ (np.linalg.inv(SRGB) @ columns).T
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_a_wide_profile_goes_to_srgb(read, name):
    pixels = np.kron(patches(8, 8, 3, seed=4), np.ones((16, 16, 1), np.uint8))
    profile = rgb_profile(ADOBE, 563 / 256, "like Adobe RGB")
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(name, {})
    photograph = read(encoded(Image.fromarray(pixels), name, icc_profile=profile, **options))
    expected = to_srgb(pixels, 563 / 256, ADOBE)
    assert np.abs(expected - pixels).max() > 40  # it matters
    assert np.abs(photograph.pixels - expected).max() <= (5 if name == "JPEG" else 2)
    assert photograph.notes == ("ICC profile 'like Adobe RGB' to sRGB",)


def test_alpha_and_profile_together(read):
    pixels = patches(8, 8, 4, seed=5)
    profile = rgb_profile(ADOBE, 2.2, "wide")
    photograph = read(encoded(Image.fromarray(pixels), "PNG", icc_profile=profile))
    expected = over_white(to_srgb(pixels[..., :3], 2.2, ADOBE), pixels[..., 3], 255)
    assert np.abs(photograph.pixels - expected).max() <= 2


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_profile_that_is_srgb_is_left_alone(read, mode):
    pixels = np.asarray(Image.fromarray(patches(8, 8, 3)).convert(mode))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photograph = read(encoded(Image.fromarray(pixels), "PNG", icc_profile=profile))
    assert np.array_equal(photograph.pixels, pixels if mode == "RGB" else pixels[..., None].repeat(3, 2))
    assert photograph.notes == (() if mode == "RGB" else ("grey to RGB",))


def test_a_profile_of_grey_is_applied(read):
    pixels = np.arange(256, dtype=np.uint8)[None]
    photograph = read(encoded(Image.fromarray(pixels), "PNG", icc_profile=grey_profile(1.8)))
    expected = to_srgb(pixels[..., None].repeat(3, 2), 1.8, SRGB)
    assert np.abs(photograph.pixels - expected).max() <= 2
    assert photograph.notes == ("grey to RGB", "ICC profile 'test' to sRGB")


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile(read, name):
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, 16:32, 3], inks[:, 32:, 3] = 128, 255
    image = Image.fromarray(inks, "CMYK")
    photograph = read(encoded(image, name, icc_profile=black_ink_profile()))
    # L* of 49.8 is a luminance of 0.182, which sRGB writes as 118.5.
    assert np.abs(photograph.pixels[8, [8, 24, 40]] - np.array([[255], [118.5], [0]])).max() <= 2
    assert photograph.notes == ("ICC profile 'test' to sRGB",)


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile(read, name):
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, 16:32, 0], inks[:, 32:, 3] = 255, 255
    photograph = read(encoded(Image.fromarray(inks, "CMYK"), name))
    assert np.abs(photograph.pixels[8, [8, 24, 40]].astype(int) - [[255] * 3, [0, 255, 255], [0] * 3]).max() <= 3
    assert photograph.notes == ("CMYK to RGB without an ICC profile",)


def test_ycbcr_and_lab_become_rgb(read):
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    photograph = read(encoded(red.convert("YCbCr"), "TIFF"))
    assert np.abs(photograph.pixels.astype(int) - [255, 0, 0]).max() <= 2
    assert photograph.notes == ("YCbCr to RGB",)
    # Red of sRGB in CIELAB under D50 is (54.29, 80.81, 69.89).
    lab = Image.frombytes("LAB", (1, 1), bytes([round(54.29 * 2.55), 81, 70]))
    photograph = read(encoded(lab, "TIFF"))
    assert np.abs(photograph.pixels.astype(int) - [255, 0, 0]).max() <= 6  # eight bits, a coarse table
    assert photograph.notes == ("CIELAB to RGB",)


@pytest.mark.parametrize("profile", [b"no profile at all", rgb_profile(ADOBE, 2.2, "cut")[:200]])
@pytest.mark.parametrize("name", ["PNG", "JPEG"])
def test_a_broken_profile_is_ignored(read, photo, name, profile):
    data = encoded(Image.fromarray(photo[:64, :64]), name, icc_profile=profile)
    photograph = read(data)
    assert np.array_equal(photograph.pixels, np.asarray(Image.open(BytesIO(data))))
    assert set(photograph.notes) <= {"broken ICC profile ignored"}


def test_a_profile_for_other_pixels_is_ignored(read):
    pixels = patches(8, 8, 3)
    photograph = read(encoded(Image.fromarray(pixels), "PNG", icc_profile=grey_profile(1.0)))
    assert np.array_equal(photograph.pixels, pixels)
    assert photograph.notes == ("ICC profile 'test' is not for such pixels, ignored",)


# More than eight bits
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF, deflated", "TIFF, big-endian", "TIFF, tiled", "BigTIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_kept_exactly(read, kind, channels):
    samples = patches(37, 53, channels, dtype=np.uint16)
    stored, photometric = (samples[..., 0], "minisblack") if channels == 1 else (samples, "rgb")
    options = {
        "TIFF, deflated": {"compression": "zlib", "predictor": False},
        "TIFF, big-endian": {"byteorder": ">"},
        "TIFF, tiled": {"tile": (16, 16)},
        "BigTIFF": {"bigtiff": True},
    }.get(kind, {})
    if kind == "PNG":
        data = cv2.imencode(".png", stored if channels == 1 else stored[..., ::-1])[1].tobytes()
    else:
        data = tiff_of(stored, photometric=photometric, **options)
    photograph = read(data)
    assert photograph.pixels.dtype == np.uint16
    assert np.array_equal(photograph.pixels, samples.repeat(3, 2) if channels == 1 else samples)
    assert photograph.notes == (("grey to RGB",) if channels == 1 else ())


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_alpha_of_sixteen_bits(read, name):
    samples = patches(9, 7, 4, dtype=np.uint16)
    if name == "PNG":
        data = cv2.imencode(".png", samples[..., [2, 1, 0, 3]])[1].tobytes()
    else:
        data = tiff_of(samples, photometric="rgb", extrasamples=["unassalpha"])
    photograph = read(data)
    assert photograph.pixels.dtype == np.uint16
    assert np.abs(photograph.pixels - over_white(samples[..., :3], samples[..., 3], 65535)).max() <= 1
    samples[..., 3] = 65535
    photograph = read(cv2.imencode(".png", samples[..., [2, 1, 0, 3]])[1].tobytes())
    assert np.array_equal(photograph.pixels, samples[..., :3])
    assert photograph.notes == ("opaque alpha dropped",)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_transparency_of_sixteen_bit_png(read, channels):
    samples = patches(5, 4, channels, dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    clear = {} if channels == 2 else {b"tRNS": samples[2, 2].astype(">u2").tobytes()}
    data = png_file(4, 5, depth=16, colour={1: 0, 2: 4, 3: 2}[channels], rows=rows, chunks=clear)
    colour = samples if channels == 3 else samples[..., :1].repeat(3, 2)
    opaque = (samples != samples[2, 2]).any(-1) * 65535
    expected = over_white(colour, samples[..., 1] if channels == 2 else opaque, 65535)
    photograph = read(data)
    assert photograph.pixels.dtype == np.uint16
    assert np.abs(photograph.pixels - expected).max() <= 1


def test_sixteen_bits_that_cannot_be_had_are_read_as_eight(read):
    """Separate planes, which OpenCV takes for something else, and premultiplied alpha."""
    samples = patches(9, 7, 3, dtype=np.uint16)
    planes = np.moveaxis(samples, -1, 0).copy()
    photograph = read(tiff_of(planes, photometric="rgb", planarconfig="separate", compression="zlib"))
    assert np.array_equal(photograph.pixels, samples >> 8)
    assert photograph.pixels.dtype == np.uint8
    assert photograph.notes == ("16 bits read as 8",)
    half = np.dstack([samples // 2, np.full((9, 7), 32768, np.uint16)])
    photograph = read(tiff_of(half, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(photograph.pixels - ((samples >> 8) * 0.5 + 127.5)).max() <= 2
    assert photograph.notes == ("16 bits read as 8", "alpha composited over white")


def test_sixteen_bits_that_decoders_get_wrong_are_refused(read):
    planes = patches(3, 9, 7, dtype=np.uint16)
    with pytest.raises(RRFrameError, match="separate planes"):
        read(tiff_of(planes, photometric="rgb", planarconfig="separate"))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_with_a_profile_are_read_as_eight(read, channels):
    eight = patches(9, 7, channels)
    samples = eight.astype(np.uint16) * 257
    profile = grey_profile(1.8) if channels == 1 else rgb_profile(ADOBE, 2.2, "wide")
    stored = samples[..., 0] if channels == 1 else samples
    data = tiff_of(stored, photometric="minisblack" if channels == 1 else "rgb", iccprofile=profile)
    photograph = read(data)
    gamma, columns = (1.8, SRGB) if channels == 1 else (2.2, ADOBE)
    assert np.abs(photograph.pixels - to_srgb(eight.repeat(3 // channels, 2), gamma, columns)).max() <= 2
    assert photograph.notes[0] == "16 bits read as 8, at which ICC profiles are applied"


def test_sixteen_bits_with_a_profile_that_is_srgb_are_kept(read):
    samples = patches(9, 7, 3, dtype=np.uint16)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photograph = read(tiff_of(samples, photometric="rgb", iccprofile=profile))
    assert np.array_equal(photograph.pixels, samples)


@pytest.mark.parametrize("kind", ["16 bits", "floats"])
def test_pictures_whose_white_is_zero_are_turned_round(read, kind):
    samples = patches(9, 7, dtype=np.uint16)
    stored = samples if kind == "16 bits" else (samples / 65535).astype(np.float32)
    photograph = read(tiff_of(stored, photometric="miniswhite"))
    assert np.array_equal(photograph.pixels[..., 0], 65535 - samples)


def test_grey_ppm_of_sixteen_bits(read):
    samples = patches(4, 3, dtype=np.uint16)
    photograph = read(b"P5 3 4 65535\n" + samples.astype(">u2").tobytes())
    assert np.array_equal(photograph.pixels[..., 0], samples)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((9, 7), np.float32),
        ((9, 7), np.float64),
        ((9, 7, 3), np.float32),
        ((9, 7, 3), np.float64),
        ((9, 7, 4), np.float32),
    ],
)
def test_float_tiff_is_taken_as_encoded_values(read, shape, dtype):
    samples = patches(*shape, dtype=np.uint16)
    if shape[-1] == 4:
        samples[..., 3] = 65535
    values = (samples / 65535).astype(dtype)
    values[0, 0] = 1.5 if len(shape) == 2 else (1.5, -0.5, np.inf, 1.0)[: shape[-1]]
    extra = {"extrasamples": ["unassalpha"]} if shape[-1] == 4 else {}
    photograph = read(tiff_of(values, photometric="minisblack" if len(shape) == 2 else "rgb", **extra))
    expected = (samples[..., None] if len(shape) == 2 else samples)[..., :3].repeat(3 if len(shape) == 2 else 1, 2)
    expected[0, 0] = 65535 if len(shape) == 2 else (65535, 0, 65535)
    assert photograph.pixels.dtype == np.uint16
    assert np.array_equal(photograph.pixels, expected)
    assert photograph.notes[0].startswith("floats taken as encoded values in [0, 1], ")
    assert "clipped" in photograph.notes[0]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.full((4, 4, 3), np.nan, np.float32), "holds NaN"),
        (np.ones((4, 4), np.uint32), "do not say what white is"),
        (np.ones((4, 4), np.int16), "do not say what white is"),
        (np.ones((4, 4, 2), np.uint16), "begins like a TIFF file and is of a kind that is not supported"),
        (np.ones((4, 4, 3), np.float16), "of a kind that is not known"),
    ],
)
def test_tiff_that_holds_no_light_is_refused(read, samples, reason):
    with pytest.raises(RRFrameError, match=reason):
        read(tiff_of(samples, photometric="rgb" if samples.shape[2:] == (3,) else "minisblack", planarconfig="contig"))


# Frames
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GIF", "TIFF", "PNG", "WEBP", "MPO", "AVIF"])
def test_the_first_of_several_frames_is_taken(read, name):
    first, second = Image.new("RGB", (16, 16), (200, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 200))
    photograph = read(encoded(first, name, save_all=True, append_images=[second]))
    assert np.abs(photograph.pixels.astype(int) - [200, 0, 0]).max() <= 3
    assert "first of several frames" in photograph.notes


# Bad files
# ----------------------------------------------------------------------------------------------------------------------


def test_every_bad_file_is_given_its_reason(tmp_path, capfd):
    for name, reason in write_bad_files(tmp_path).items():
        with pytest.raises(RRFrameError) as caught:
            read_photograph(tmp_path / name)
        assert caught.value.message.startswith(name)
        assert reason in caught.value.message
    assert capfd.readouterr().err == ""


def test_a_missing_file(tmp_path):
    with pytest.raises(RRFrameError, match=r"nowhere\.jpg is not there"):
        read_photograph(tmp_path / "nowhere.jpg")


def test_the_limit_is_a_parameter_and_the_hint_says_so(write):
    path = write(encoded(Image.new("RGB", (20, 10)), "PNG"))
    assert read_photograph(path, max_pixels=200).pixels.shape == (10, 20, 3)
    with pytest.raises(RRFrameError, match=r"20 x 10 = 200 pixels, more than the 199 allowed") as caught:
        read_photograph(path, max_pixels=199)
    assert "max_pixels" in (caught.value.hint or "")


def test_pictures_larger_than_pillow_warns_of(write):
    """Above 89 million pixels Pillow warns, above 179 million it refuses: here the limit is ours alone."""
    path = write(encoded(Image.new("1", (20_000, 10_000)), "PNG"))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(RRFrameError, match="200,000,000 pixels"), warnings.catch_warnings(action="error"):
        read_photograph(path)
    with pytest.raises(RRFrameError, match="200,000,000 pixels"), warnings.catch_warnings(action="error"):
        read_photograph(path, max_pixels=199_999_999)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.skipif(os.name != "posix", reason="users are told apart by number on POSIX")
def test_a_file_that_may_not_be_read(photo):
    """As root, whom no mode stops, the attempt is made by a process that gave root up."""
    code = (
        "import os, sys, tempfile, pathlib\n"
        "from PIL import Image\n"
        "from rrframe import RRFrameError\n"
        "from rrframe.imaging.reading import read_photograph\n"
        "folder = pathlib.Path(tempfile.mkdtemp()); folder.chmod(0o755)\n"
        "path = folder / 'secret.png'; Image.new('RGB', (4, 4)).save(path)\n"
        "read_photograph(path)\n"
        "path.chmod(0)\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: read_photograph(path)\n"
        "except RRFrameError as error: print(error.message)\n"
        "finally: os.seteuid(os.getuid()); path.unlink(); folder.rmdir()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "secret.png may not be read: permission denied"


def test_a_program_is_never_started_for_a_picture(read):
    """PostScript would go to Ghostscript."""
    with pytest.raises(RRFrameError, match="is not a picture of a known format"):
        read(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    assert not {".eps", ".ps", ".mpg", ".h5"} & extensions()
    assert {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif", ".ppm"} <= extensions()


def test_names_that_are_no_text(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    with pytest.raises(RRFrameError) as caught:
        read_photograph(path)
    assert caught.value.message.encode() == rb"caf\xe9.jpg is not there"


GOOD = [
    encoded(Image.fromarray(patches(24, 31, 3)), "JPEG", exif=exif(6), icc_profile=rgb_profile(ADOBE, 2.2, "wide")),
    encoded(Image.fromarray(patches(24, 31, 3)), "PNG", exif=exif(3)),
    encoded(Image.fromarray(patches(24, 31, 3)), "TIFF", compression="tiff_lzw"),
    encoded(Image.fromarray(patches(24, 31, 3)), "TIFF", compression="jpeg"),
    encoded(Image.fromarray(patches(24, 31, 4)), "WEBP"),
    encoded(Image.fromarray(patches(24, 31)), "GIF"),
    encoded(Image.fromarray(patches(24, 31, 4), "CMYK"), "JPEG", icc_profile=black_ink_profile()),
    encoded(Image.fromarray(patches(24, 31, 3)), "JPEG2000"),
    encoded(Image.fromarray(patches(24, 31, 3)), "AVIF"),
    cv2.imencode(".png", patches(24, 31, 3, dtype=np.uint16))[1].tobytes(),
    tiff_of(patches(24, 31, 3, dtype=np.uint16), photometric="rgb", compression="zlib"),
    tiff_of(np.ones((24, 31, 3), np.float32), photometric="rgb", compression="zlib"),
]


@pytest.mark.parametrize("good", range(len(GOOD)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_a_picture_or_a_reason(good, data, write, capfd):
    """Never another exception or a crash; nor a word on the terminal, but for libtiff."""
    whole = bytearray(GOOD[good])
    end = data.draw(st.integers(1, len(whole)) | st.just(len(whole)), "cut at")
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, end - 1), st.integers(0, 255)), max_size=6), "bytes"
    ):
        whole[place] = value
    path = write(bytes(whole[:end]))
    problem = ""
    try:
        photograph = read_photograph(path)
    except RRFrameError as error:
        problem = error.message
    else:
        height, width, channels = photograph.pixels.shape
        assert height * width > 0
        assert channels == 3
        assert photograph.pixels.dtype in (np.uint8, np.uint16)
    assert problem.startswith("picture.file ") or not problem
    assert "0x" not in problem
    said = capfd.readouterr().err
    assert not said or GOOD[good].startswith(b"II")  # the libtiff inside Pillow cannot be told to be quiet


def test_a_false_length_in_a_deep_png_is_noticed(read):
    """Pillow steps over it, and OpenCV would take gigabytes for it."""
    whole = GOOD[9]
    place = whole.index(b"IDAT") - 4
    with pytest.raises(RRFrameError, match="is truncated"):
        read(whole[:place] + b"\xfe" + whole[place + 1 :])


@pytest.mark.parametrize("good", range(6))
def test_every_cut_of_a_file_is_noticed(good, write):
    """A picture of which a part is missing is never taken for whole; trailing bytes may be missed by nobody."""
    whole = read_photograph(write(GOOD[good])).pixels
    for end in range(1, len(GOOD[good]), 37):
        try:
            pixels = read_photograph(write(GOOD[good][:end])).pixels
        except RRFrameError:
            continue
        assert np.array_equal(pixels, whole)


def test_a_cut_png_is_told_without_decoding_it(write):
    whole = GOOD[1]
    measure(write(whole), whole=True)
    measure(write(whole + b"something behind it"), whole=True)
    measure(write(GOOD[0][:-40]), whole=True)  # which only decoding tells
    for end in range(60, len(whole) - 12, 41):
        with pytest.raises(RRFrameError, match="is truncated"):
            measure(write(whole[:end]), whole=True)


def test_warnings_are_as_before_after_threads_read_together(write, photo):
    path = write(encoded(Image.fromarray(photo), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x09"))
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        shapes = {photograph.pixels.shape for photograph in pool.map(read_photograph, [path] * 64)}
    assert shapes == {photo.shape}
    assert warnings.filters == before
