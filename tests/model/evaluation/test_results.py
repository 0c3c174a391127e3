import json
import pathlib

import numpy as np
import torch
from PIL import Image

from model.evaluation import results, tables
from model.evaluation.protocol import Scores
from model.evaluation.reconstruction import reconstruction


def test_a_report_is_written_with_its_page_and_read_as_tables(tmp_path: pathlib.Path) -> None:
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    page = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    scores = Scores({"all": reconstruction(0.9 * images, images)}, {}, {}, page)
    report = results.report(scores, "tiny-1", "val", "lite1", 32)
    picture = results.write(report, scores, tmp_path / "new" / "scores.json")

    written = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert written == report
    assert (written["bundle"], written["split"], written["features"], written["size"]) == ("tiny-1", "val", "lite1", 32)
    assert tables.report(written).startswith("| val")
    assert picture == tmp_path / "new" / "scores.png"
    with Image.open(picture) as image:
        assert np.array_equal(np.asarray(image), page)
