"""Reads a dashboard with Grafana's own model of one, and prints the queries of its panels as a JSON list."""

import json
import pathlib
import sys

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel, RowPanel

plugins.register_default_plugins()
dashboard = Dashboard.from_json(json.loads(pathlib.Path(sys.argv[1]).read_text()))
assert dashboard.title == "Panelgate" and dashboard.uid == "panelgate", dashboard.title

queries, places = [], {}
for panel in dashboard.panels:
    assert isinstance(panel, (Panel, RowPanel)), panel
    place = panel.grid_pos
    for x in range(place.x, place.x + place.w):
        for y in range(place.y, place.y + place.h):
            assert x < 24 and (x, y) not in places, f"{panel.title} covers {places.get((x, y))}"
            places[x, y] = panel.title
    if isinstance(panel, Panel):
        # Of a kind that is not known the model keeps a plain dictionary.
        assert panel.type_val in ("stat", "timeseries") and not isinstance(panel.options, dict), panel.type_val
        assert panel.description, f"{panel.title} does not say what it shows"
        for target in panel.targets:
            queries.append(target.expr)
print(json.dumps(queries))
