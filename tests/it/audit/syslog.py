"""Reads each line of a file by RFC 5424; the second argument is a value that has to come back, but for control characters."""

import sys

from syslog_rfc5424_parser import SyslogMessage

nasty = "".join(" " if ord(c) < 32 else c for c in sys.argv[2])
count = came_back = 0
for line in open(sys.argv[1], encoding="utf-8", newline="\n"):
    found = SyslogMessage.parse(line.rstrip("\n")).as_dict()
    assert found["appname"] == "panelgate" and found["hostname"] == "gate.example", found
    data = found["sd"]["panelgate@32473"]
    assert data["seq"] == str(count + 1) and found["msgid"], found
    value = data["user"].replace('\\"', '"').replace("\\]", "]").replace("\\\\", "\\")
    assert value in ("plain", nasty), (value, nasty)
    came_back += value == nasty
    count += 1
assert came_back * 2 == count, came_back
print(f"{count} read")
