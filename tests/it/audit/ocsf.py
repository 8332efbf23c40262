"""Validates each line of a file by the schema of its class; the folder of the schemas is the second argument."""

import json
import pathlib
import sys

import jsonschema

NAMES = {3001: "account_change", 3002: "authentication", 3004: "entity_management", 6003: "api_activity"}

folder = pathlib.Path(sys.argv[2])
judges = {
    uid: jsonschema.Draft202012Validator(json.loads((folder / f"{name}.json").read_text()))
    for uid, name in NAMES.items()
}
count = 0
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    for error in judges[event["class_uid"]].iter_errors(event):
        sys.exit(f"{event['metadata']['event_code']}: {list(error.path)}: {error.message[:300]}")
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"], event
    count += 1
print(f"{count} read")
