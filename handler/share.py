"""One seeded car under an address that chats and feeds can preview: a small page, and its picture.

Crawlers run no scripts and see nothing behind the `#` of the page's own links, so these two are answered here.
"""

import html
import re

import numpy as np
from flask import Blueprint, Response, current_app, request
from PIL import Image

from . import images, inputs
from .answers import choose
from .errors import Problem
from .latents import MAX_INDEX, MAX_SEED

share = Blueprint("share", __name__)

#: The shape that Open Graph previews are shown in.
SIDES = (1200, 630)
ROOM, FILM, MOUNT = "#dbe0e3", "#120f0b", "#fdfefe"
#: Pixels: of the film's edge above and below, of its holes, and around the picture.
EDGE, HOLE, MARGIN = 44, (34, 18), 26
#: A row of a car's picture is one of its white bars if no value is darker.
WHITE = 232 / 255
#: Seconds that a preview may be kept: another model draws other cars.
KEPT_S = 3600

_REFERENCE = re.compile(r"(\d{1,16})\.(\d{1,10})(?:@([012](?:\.\d{1,3})?))?")

_PAGE = """<!doctype html>
<html lang="en" prefix="og: https://ogp.me/ns#">
<meta charset="utf-8">
<title>A car nobody has built</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta property="og:type" content="website">
<meta property="og:site_name" content="carvae">
<meta property="og:title" content="A car nobody has built">
<meta property="og:description" content="A small neural network that knows only cars drew it. Tune it, or try yours.">
<meta property="og:url" content="{here}">
<meta property="og:image" content="{here}/preview">
<meta property="og:image:type" content="image/jpeg">
<meta property="og:image:width" content="{width}">
<meta property="og:image:height" content="{height}">
<meta property="og:image:alt" content="A car, as the network draws it">
<meta name="twitter:card" content="summary_large_image">
<meta http-equiv="refresh" content="0; url={page}">
<p><a href="{page}">A car nobody has built</a></p>
"""


@share.get("/car/<reference>")
def page(reference: str) -> Response:
    """Lead people to the page, and tell crawlers what to show of it."""
    choose("text/html")
    inputs.check_query()
    check(reference)
    sites = [origin for origin in current_app.extensions["carvae"].settings.origins if origin != "*"]
    target = f"{sites[0] if sites else ''}/#tune?car={reference}"
    body = _PAGE.format(here=html.escape(request.base_url), page=html.escape(target), width=SIDES[0], height=SIDES[1])
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={KEPT_S}"
    return response


def check(reference: str) -> inputs.DrawnCar:
    """Read `SEED.N` or `SEED.N@TEMPERATURE`.

    Raises
    ------
    Problem
        404, if it is none or out of range.
    """
    found = _REFERENCE.fullmatch(reference)
    if found:
        car = inputs.DrawnCar(int(found[1]), int(found[2]), float(found[3] or 1))
        if car.seed <= MAX_SEED and car.index <= MAX_INDEX and car.temperature <= 2:
            return car
    detail = "there is no such car; expected SEED.N, such as 7.0, or SEED.N@TEMPERATURE"
    raise Problem(404, detail, parameter="reference", value=reference)


def card(image: images.Array) -> Image.Image:
    """Paste one ``(C, H, W)`` car, without its white bars, onto a slide between two edges of film."""
    filled = np.flatnonzero((image < WHITE).any((0, 2)))
    if len(filled):
        image = image[:, filled[0] : filled[-1] + 1]
    picture = images.picture(image).convert("RGB")
    width, height = SIDES
    sheet = Image.new("RGB", SIDES, ROOM)
    for top in (0, height - EDGE):
        sheet.paste(FILM, (0, top, width, top + EDGE))
        for left in range(HOLE[0] // 2, width, 2 * HOLE[0]):
            hole = (left, top + (EDGE - HOLE[1]) // 2, left + HOLE[0], top + (EDGE + HOLE[1]) // 2)
            sheet.paste(ROOM, hole)
    room = (width - 4 * MARGIN, height - 2 * EDGE - 4 * MARGIN)
    scale = min(room[0] / picture.width, room[1] / picture.height)
    large = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (width - large.width) // 2, (height - large.height) // 2
    sheet.paste(MOUNT, (left - MARGIN, top - MARGIN, left + large.width + MARGIN, top + large.height + MARGIN))
    sheet.paste(large, (left, top))
    return sheet
