"""Pictures by Pillow, as hexadecimal bytes with what Pillow and numpy read from them. Writes picture.json."""

import io
import json

import numpy as np
from PIL import Image

rng = np.random.default_rng(19)
height, width = 5, 7
grey = rng.integers(0, 256, (height, width)).astype(np.uint8)
deep = rng.integers(0, 65536, (height, width)).astype(np.uint16)
colour = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
indices = rng.integers(0, 5, (height, width)).astype(np.uint8)
palette = rng.integers(1, 256, (256, 3)).astype(np.uint8)
cases = []


def content(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def add(name, bytes_, planes, labels=None, bits=8, tolerance=0):
    cases.append({
        "name": name, "hex": bytes_.hex(), "width": width, "height": height, "bits": bits, "tolerance": tolerance,
        "planes": [np.asarray(plane, float).ravel().tolist() for plane in planes],
        "labels": None if labels is None else np.asarray(labels).ravel().astype(int).tolist(),
    })


channels = [colour[..., channel] for channel in range(3)]
painted = Image.fromarray(indices)
painted.putpalette(palette.ravel().tolist())
seen = [palette[indices][..., channel] for channel in range(3)]
small = Image.fromarray(indices)
small.putpalette(palette[:5].ravel().tolist())
mask = (grey > 127).astype(np.uint8)

add("png-8", content(Image.fromarray(grey), "PNG"), [grey], grey)
add("png-16", content(Image.fromarray(deep), "PNG"), [deep], bits=16)
add("png-rgb", content(Image.fromarray(colour), "PNG"), channels)
add("png-rgba", content(Image.fromarray(np.dstack([colour, grey])), "PNG"), channels)
add("png-palette", content(painted, "PNG"), seen, indices)
add("png-palette-4-bits", content(small, "PNG", bits=4), seen, indices)
# a mask of one bit is drawn black and white, but its labels are 0 and 1
add("png-1-bit", content(Image.fromarray(mask * 255).convert("1"), "PNG"), [mask * 255.0], mask)
add("png-mask", content(Image.fromarray(mask * 255), "PNG"), [mask * 255.0], mask)
add("gif", content(painted, "GIF", optimize=False), seen, indices)
for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
    add("tiff-" + compression, content(Image.fromarray(grey), "TIFF", compression=compression), [grey], grey)
add("tiff-16", content(Image.fromarray(deep), "TIFF"), [deep], bits=16)
add("tiff-rgb", content(Image.fromarray(colour), "TIFF", compression="tiff_lzw"), channels)
real = rng.normal(0, 3, (height, width)).astype(np.float32)
add("tiff-float", content(Image.fromarray(real), "TIFF"), [real], bits=32)
add("tiff-1-bit", content(Image.fromarray(mask * 255).convert("1"), "TIFF"), [mask * 255.0], mask)

smooth = (40 + 20 * np.add.outer(np.arange(height), np.arange(width))).astype(np.uint8)
for name, image in (("jpeg-grey", Image.fromarray(smooth)), ("jpeg-rgb", Image.fromarray(np.dstack([smooth, 255 - smooth, smooth // 2])))):
    bytes_ = content(image, "JPEG", quality=95, subsampling=0)
    read = np.asarray(Image.open(io.BytesIO(bytes_)))
    read = read[..., None] if read.ndim == 2 else read
    # two inverse transforms and colour conversions may round differently
    add(name, bytes_, [read[..., channel] for channel in range(read.shape[2])], tolerance=3)

pages = [Image.fromarray(np.full((height, width), value, np.uint8)) for value in (3, 200, 77)]
out = io.BytesIO()
pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
json.dump({"cases": cases, "pages": {"hex": out.getvalue().hex(), "values": [3, 200, 77]}}, open("picture.json", "w"))
print([(case["name"], len(case["hex"]) // 2) for case in cases])
