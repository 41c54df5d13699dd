"""Personal links from the command line are those that the server takes, and a lost page is found again."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from study_app import cli

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])


def test_a_link_made_here_admits_one_person(
    client: FlaskClient, study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(["link", study, "--count", "2", "--url", "https://x.org/"]) == 0
    links = [line.removeprefix("https://x.org") for line in capsys.readouterr().out.splitlines()]
    homes = []
    for link in links:
        homes.append(client.post(link.replace("?", "enter?"), data={"consent": "yes"}).headers["Location"])
        assert client.get(link).headers["Location"] == homes[-1]
    assert len(set(homes)) == 2


def test_the_link_of_a_participant_who_lost_it_is_found_by_their_id(
    client: FlaskClient, study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = client.post(f"/study/{study}/enter?PROLIFIC_PID=aa", data={"consent": "yes"}).headers["Location"]
    capsys.readouterr()
    assert cli.main(["link", "--external-id", "aa"]) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:5000{home}\n"
    assert cli.main(["link", "--external-id", "bb"]) == 2
    assert "has the ID 'bb'" in capsys.readouterr().err
    assert cli.main(["link", "--count", "0"]) == 2
