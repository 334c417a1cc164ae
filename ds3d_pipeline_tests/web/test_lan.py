"""What lets other machines in, and what keeps them out."""

import ssl
import stat

import pytest

from ds3d_pipeline.web.lan import certificate, kept_token, own_addresses, own_names, qr_code
from ds3d_pipeline_tests.homes import make_home


def test_the_token_has_128_bits_stays_and_is_for_its_owner_alone(tmp_path):
    home, other = make_home(tmp_path / "a"), make_home(tmp_path / "b")
    token = kept_token(home)
    assert (len(token), kept_token(home)) == (22, token)
    assert kept_token(other) != token
    assert stat.S_IMODE((home.root / "token").stat().st_mode) == 0o600


def test_addresses_are_those_of_other_machines():
    assert not [address for address in own_addresses() if address.startswith("127.")]
    assert all(own_names())


def test_a_qr_code_is_lines_of_one_width():
    lines = qr_code("http://192.168.1.20:8000/?token=abcdefghijklmnopqrstuv").strip("\n").splitlines()
    assert len(lines) > 15


def test_a_certificate_is_for_the_names_and_made_again_for_others(tmp_path):
    home = make_home(tmp_path)
    pem, key = certificate(home, {"localhost", "127.0.0.1", "::1"})
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem, key)
    names = ssl._ssl._test_decode_cert(str(pem))["subjectAltName"]
    assert ("DNS", "localhost") in names
    assert ("IP Address", "127.0.0.1") in names
    before = pem.read_bytes()
    assert certificate(home, {"::1", "127.0.0.1", "localhost"})[0].read_bytes() == before
    assert certificate(home, {"localhost"})[0].read_bytes() != before
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_without_openssl_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match="--https needs the program `openssl`"):
        certificate(make_home(tmp_path / "home"), {"localhost"})
