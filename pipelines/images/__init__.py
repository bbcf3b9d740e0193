"""The one loader of images and masks: everything that reads a picture reads it here.

A file is sniffed by its first bytes, its header is read and held against the limits, and only then is it decoded. What
Pillow sees of a PNG, JPEG or TIFF is a copy with nothing in it but the pixels and what they need: comments, thumbnails,
text, further frames and unknown tags are left out, so that they can neither fill the memory nor raise a warning. No
global state of Pillow is changed; the loader may be used from many threads.
"""

from pipelines.images.decode import image_size, load_image
from pipelines.images.limits import OWN_FOLDER, UPLOAD, Limits
from pipelines.images.masks import load_mask
from pipelines.images.source import Source

__all__ = ["OWN_FOLDER", "UPLOAD", "Limits", "Source", "image_size", "load_image", "load_mask"]
