"""Reads each line of a file as CEF with pycef; the second argument is a value that has to come back as it was."""

import sys

import pycef

nasty = sys.argv[2]
count = came_back = 0
for line in open(sys.argv[1], encoding="utf-8", newline="\n"):
    found = pycef.parse(line.rstrip("\n"))
    assert found, line
    assert found["DeviceVendor"] == "Panelgate" and found["DeviceEventClassID"] == found["act"], found
    assert found["rt"] == "1800000000123" and found["externalId"] == str(count + 1), found
    value = found["duser"].replace("\\n", "\n").replace("\\=", "=").replace("\\\\", "\\")
    assert value in ("plain", nasty), (value, nasty)
    came_back += value == nasty
    count += 1
assert came_back * 2 == count, came_back
print(f"{count} read")
