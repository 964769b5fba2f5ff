"""Certificates made by the openssl command line: an authority, what it has signed, and what it has not."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

OPENSSL = "/usr/bin/openssl"
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Signs certificates for names or addresses; all files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        _openssl(
            "req", "-x509", *CURVE, "-days", "2", "-subj", "/CN=Test authority",
            "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def sign(self, name: str, *, subject: str = "IP:127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """A certificate and its key; with negative `days` it has expired."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject}\n", "ascii")
        _openssl("req", *CURVE, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        if days > 0:
            _openssl(
                "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate,
            )  # fmt: skip
        else:
            self._backdate(request, certificate, extensions, days)
        return certificate, key

    def _backdate(self, request: Path, certificate: Path, extensions: Path, days: int) -> None:
        """`openssl x509` of version 3.0 signs from now on only; `openssl ca` from any day."""
        (self.folder / "index.txt").touch()
        configuration = self.folder / "ca.cnf"
        configuration.write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={self.folder}/index.txt\nnew_certs_dir={self.folder}\n"
            f"rand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n",
            "ascii",
        )
        end = datetime.now(UTC) + timedelta(days=days)
        _openssl(
            "ca", "-batch", "-notext", "-config", configuration, "-in", request, "-out", certificate,
            "-cert", self.certificate, "-keyfile", self._key, "-extfile", extensions,
            "-startdate", f"{end - timedelta(days=2):%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}",
        )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([OPENSSL, *arguments], check=True, capture_output=True)  # noqa: S603
