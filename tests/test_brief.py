"""The brief: what it holds, what it refuses, what it says of pictures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from impasto import Brief, Look, Recipe, Region, preset
from impasto.errors import SettingsError, UnknownName


def two(**more: Any) -> Brief:
    regions = [Region(mask="sky.png", styles=["a.jpg"], strength=0.5), Region(styles=["b.jpg", "c.jpg"], blend=(2, 1))]
    return Brief(regions=regions, **more)


def test_it_goes_to_json_and_back() -> None:
    for brief in (two(), two(engine="instant", settings={"size": 300, "color": "harmony"}, keep="face")):
        assert Brief.from_json(brief.to_json()) == brief
        assert Brief(**json.loads(brief.model_dump_json())) == brief


def test_the_engine_is_what_the_styles_ask_for() -> None:
    assert Brief(regions=[{"styles": ["a.jpg"]}]).engine == "optimize"
    assert Brief(regions=[{"styles": ["a.style"]}]).engine == "instant"
    painter = Brief(regions=[{"styles": ["looks:swirls"]}, {"styles": ["looks:irises"], "mask": "m.png"}])
    assert painter.engine == "looks"
    assert type(painter.settings) is Look
    assert type(two().settings) is Recipe
    assert two(settings=preset("draft", size=200)).recipe.steps == (0, 0, 5, 3)


def test_regions_leave_to_the_settings_what_they_do_not_say() -> None:
    brief = two(settings={"strength": 0.8, "color": "match"})
    first, second = (brief.look_of(region) for region in brief.regions)
    assert (first.strength, first.color, first.style_scale) == (0.5, "match", 1.0)
    assert (second.strength, second.shares) == (0.8, (2.0, 1.0))


def test_pictures_are_named_once_and_renamed_everywhere() -> None:
    brief = Brief(
        regions=[
            Region(mask="map.png#ff0000", styles=["a.jpg"], style_masks=["map.png#00ff00"], strength="grey.png"),
            Region(mask="subject", styles=["a.jpg"]),
        ],
        keep="face.png",
    )
    assert brief.pictures() == ["face.png", "map.png", "a.jpg", "grey.png"]
    renamed = brief.renamed({"map.png": "2.png", "a.jpg": "3.jpg", "grey.png": "4.png"})
    assert renamed.regions[0].mask == "2.png#ff0000"
    assert renamed.regions[0].style_masks == ("2.png#00ff00",)
    assert renamed.regions[0].strength == "4.png"
    assert renamed.regions[1].mask == "subject"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"regions": []}, "has no region"),
        ({"regions": [{"styles": []}]}, "no style"),
        ({"regions": [{"styles": ["a.jpg"], "blend": [1, 2]}]}, "should hold 1 weights"),
        ({"regions": [{"styles": ["a.jpg"], "blend": [-1]}]}, "greater than or equal to 0"),
        ({"regions": [{"styles": ["a.jpg"], "blend": [0]}]}, "one above 0"),
        ({"regions": [{"styles": ["a.jpg"], "strength": float("nan")}]}, "strength"),
        ({"regions": [{"styles": ["a.jpg"], "color": "red"}]}, "color"),
        ({"regions": [{"styles": ["a.jpg"], "style_masks": ["m.png", "n.png"]}]}, "give one for each"),
        ({"regions": [{"styles": ["a.jpg"]}] * 2}, "Two regions are the rest"),
        ({"regions": [{"styles": ["a.jpg"], "mask": f"{n}.png"} for n in range(40)]}, "40 regions are more than 32"),
        ({"regions": [{"styles": ["a.jpg"]}], "settings": {"style_weight": float("inf")}}, "finite"),
        ({"regions": [{"styles": ["a.jpg"]}], "engine": "instant", "settings": {"steps": [3]}}, "--steps steers"),
        ({"regions": [{"styles": ["a.jpg"]}], "engine": "instant", "weights": "vgg.pth"}, "Weights steer"),
        ({"regions": [{"styles": ["a.jpg"], "mask": "m.png"}], "engine": "x.onnx"}, "paints no regions"),
        ({"regions": [{"styles": ["a.jpg", "looks:swirls"]}]}, "styles of one kind"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Brief(**given)
    with pytest.raises(SettingsError, match=message):
        Brief.from_json(json.dumps(given))


def test_other_versions_and_unknown_parts_are_told() -> None:
    with pytest.raises(SettingsError, match="newer version"):
        Brief.from_json('{"version": 2, "regions": [], "pens": 3}')
    with pytest.raises(UnknownName, match="did you mean 'regions'"):
        Brief.from_json('{"region": []}')
    with pytest.raises(UnknownName, match="setting"):
        Brief.from_json('{"regions": [{"styles": ["a.jpg"]}], "settings": {"strenght": 1}}')
    for text in ("{", "[]", "3"):
        with pytest.raises(SettingsError):
            Brief.from_json(text)
