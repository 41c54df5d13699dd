"""The files of deployment: nginx accepts its configuration, Compose's services name what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from waitress.adjustments import Adjustments

from glimpse.workspace import Workspace

ROOT = Path(__file__).parents[2]


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    if (nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")) is None:
        pytest.skip("no nginx here: install Debian's package nginx-light to check its configuration, too")
    key = ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", *key]
    subprocess.run(request, check=True, capture_output=True)
    conf = (ROOT / "deploy" / "nginx.conf").read_text().replace("survey:5000", "127.0.0.1:5000")
    conf = conf.replace("/etc/nginx/tls", str(tmp_path)).replace("/var/log/nginx", str(tmp_path))
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} http {{ {conf} }}")
    checked = subprocess.run([nginx, "-t", "-c", str(main)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_other_servers_listen_on_this_machine_alone_and_leave_proxies_to_the_survey(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    (tmp_path / "survey.py").write_text(re.findall(r"```python\n(from study_app .*?)```", page, re.DOTALL)[0])
    gunicorn, waitress = re.findall(r"^    ((?:gunicorn|waitress-serve) .*)$", page, re.MULTILINE)
    pytest.importorskip("gunicorn")
    command = [sys.executable, "-m", *gunicorn.split(), "--print-config", "--chdir", str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = dict(re.findall(r"^(\w+) += (.*)$", printed, re.MULTILINE))
    names = ("bind", "control_socket_disable", "forwarded_allow_ips")
    assert [said[name] for name in names] == ["['127.0.0.1:5000']", "True", "[]"]

    monkeypatch.syspath_prepend(tmp_path)
    words, _ = Adjustments.parse_args(waitress.split()[1:])
    options = Adjustments(**{word: value for word, value in words.items() if word not in ("help", "call", "app")})
    assert [address for *_, address in options.listen] == [("127.0.0.1", 5000)]
    assert not options.clear_untrusted_proxy_headers


def test_the_image_holds_what_the_distribution_is_built_from() -> None:
    kept = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    packages = re.search(r"include = \[(.*)\]", (ROOT / "pyproject.toml").read_text())
    assert packages is not None
    assert {name.rstrip("*") for name in re.findall(r'"([^"]+)"', packages[1])} <= set(kept)
    assert {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} <= set(kept)
    assert [name for name in kept if not (ROOT / name).exists()] == []


def test_the_services_mount_files_that_exist_and_compose_is_yaml() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads compose.yaml")
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert set(services) == {"survey", "database", "proxy"}
    mounted = [row.split(":")[0] for row in services["proxy"]["volumes"]]
    assert [path for path in mounted if not (ROOT / path).exists()] == []
    assert "ports" not in services["survey"], "only the proxy is reached from outside"
    assert "ports" not in services["database"]
