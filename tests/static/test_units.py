"""The page's modules that need no page, by Node's own runner."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from handler import latents

from .. import osls

HERE = Path(__file__).parent
STATIC = HERE.parent.parent / "static"
# The page's modules lie in a folder with no package.json to say that they are modules; Node finds out.
NODE = ["node", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"]


def test_units_of_the_page() -> None:
    osls.need_node()
    files = sorted(HERE.glob("*.test.mjs"))
    result = subprocess.run([*NODE, "--test", "--test-reporter=spec", *files], check=False, capture_output=True, text=True)
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("method", latents.METHODS)
def test_the_page_interpolates_as_the_server_does(method: str) -> None:
    osls.need_node()
    start, end = (latents.noise(7, index, 64) for index in (0, 1))
    script = f"""
        import {{ interpolate }} from "{(STATIC / "latents.js").as_uri()}";
        const [a, b] = {json.dumps([start[0].tolist(), end[0].tolist()])};
        console.log(JSON.stringify([0, 0.3, 1].map((share) => interpolate(a, b, share, "{method}"))));
    """
    result = subprocess.run(
        [*NODE, "--input-type=module", "--eval", script], check=True, capture_output=True, text=True
    )
    expected = [latents.METHODS[method](start, end, share)[0] for share in (0, 0.3, 1)]
    np.testing.assert_allclose(json.loads(result.stdout), expected, atol=1e-6)
