import pytest

from model.training.flow_training import FlowRun


@pytest.mark.unit
@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("batch", 0), ("variations", -1)])
def test_a_setting_out_of_range_is_named(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}: {value} is not at least"):
        FlowRun(**{name: value})
