"""A mail server for tests: insists on STARTTLS and a password, and keeps every letter as DIRECTORY/N.json."""

import json
import pathlib
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, directory, certificate, key = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]


class Keep:
    letters = 0

    async def handle_DATA(self, server, session, envelope):
        self.letters += 1
        letter = {
            "tls": session.ssl is not None,
            "user": session.auth_data.login.decode(),
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
        }
        part = directory / "letter.part"
        part.write_text(json.dumps(letter))
        part.rename(directory / f"{self.letters}.json")
        return "250 kept"


def right(server, session, envelope, mechanism, data):
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"panel", b"mail-pass")
    return AuthResult(success=known, auth_data=data if known else None)


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
Controller(
    Keep(),
    hostname="127.0.0.1",
    port=port,
    tls_context=tls,
    require_starttls=True,
    authenticator=right,
    auth_required=True,
    auth_require_tls=True,
).start()
while True:
    time.sleep(3600)
