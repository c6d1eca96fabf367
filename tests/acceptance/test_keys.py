"""API keys at the whole service: made, used, exchanged, revoked; whose records are whose."""

from typing import Any

from tests.acceptance.conftest import Service
from tests.closed import bearer


def make(service: Service, *scopes: str, **more: Any) -> dict[str, Any]:
    asked = {"name": "a field team", "scopes": list(scopes), **more}
    made = service.http.post("/keys", json=asked, headers=service.admin)
    assert made.status_code == 201, made.text
    body: dict[str, Any] = made.json()
    return body


def test_a_form_with_a_key_and_consent_is_answered_and_belongs_to_its_owner(service: Service, photo: bytes) -> None:
    team = bearer(make(service, "predict", "read", owner="team fern")["key"])
    colleague = bearer(make(service, "read", owner="team fern")["key"])
    stranger = bearer(make(service, "predict", "read", owner="team moss")["key"])
    files = {"file": ("leaf.jpg", photo, "image/jpeg")}
    answer = service.http.post("/predict", headers=team, files=files, data={"consent": "true"})
    assert answer.status_code == 200, answer.text
    record = answer.json()
    assert (record["subject"], record["picture_kept"]) == ("team fern", True)
    path = f"/history/{record['request_id']}"
    assert service.http.get(path, headers=colleague).status_code == 200
    assert service.http.get(f"{path}/image", headers=colleague).status_code == 200
    assert service.http.get(path, headers=stranger).status_code == 404
    assert service.http.patch(path, json={"subject": "mine"}, headers=stranger).status_code == 404
    assert service.http.patch(path, json={"subject": "a ditch"}, headers=team).json()["subject"] == "a ditch"
    listed = service.http.get("/history", headers=colleague).json()["items"]
    assert [each["request_id"] for each in listed] == [record["request_id"]]
    assert service.http.get("/history", headers=stranger).json()["items"] == []
    assert service.http.get(path).status_code == 200, "in mode off whoever is on the machine sees all"


def test_a_key_does_what_its_scopes_say_and_no_more(service: Service, photo: bytes) -> None:
    reader = bearer(make(service, "read", owner="a reader")["key"])
    refused = service.http.post("/predict", content=photo, headers={**reader, "Content-Type": "image/jpeg"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "'predict'" in refused.json()["detail"]
    assert service.http.get("/keys", headers=reader).status_code == 403
    assert service.http.get("/access", headers=reader).json()["caller"]["scopes"] == ["read"]
    assert service.http.get("/access").json() == {
        "mode": "off",
        "oidc": None,
        "traces": 0.0,
        "caller": {
            "name": "anonymous",
            "scopes": ["predict", "read", "locations", "feedback", "jobs", "train"],
            "owner": None,
        },
    }
    wrong = service.http.get("/info", headers=bearer("ww_AAAAAAAA_" + 43 * "A"))
    assert (wrong.status_code, wrong.headers["www-authenticate"], wrong.json()["code"]) == (
        401,
        "Bearer",
        "unauthorized",
    )


def test_the_same_key_of_two_owners_is_two_keys(service: Service, photo: bytes) -> None:
    """Idempotency-Keys are each owner's own."""
    given = {"Content-Type": "image/jpeg", "Idempotency-Key": "one-walk-one-photo"}
    owners = [bearer(make(service, "predict", owner=f"walker {number}")["key"]) for number in range(2)]
    first, second = (service.http.post("/predict", content=photo, headers={**given, **each}) for each in owners)
    assert first.json()["request_id"] != second.json()["request_id"]
    again = service.http.post("/predict", content=photo, headers={**given, **owners[0]})
    assert (again.json()["request_id"], again.headers["idempotency-replayed"]) == (first.json()["request_id"], "true")


def test_a_key_is_listed_exchanged_and_revoked(service: Service) -> None:
    made = make(service, "read", owner="an exchange", expires_in_days=30)
    new = service.http.post(f"/keys/{made['id']}/rotation", json={"overlap_seconds": 600}, headers=service.admin)
    assert new.status_code == 201
    for each in (made, new.json()):
        assert service.http.get("/info", headers=bearer(each["key"])).status_code == 200
    assert service.http.delete(f"/keys/{made['id']}", headers=service.admin).status_code == 204
    assert service.http.get("/info", headers=bearer(made["key"])).status_code == 401
    assert service.http.get("/info", headers=bearer(new.json()["key"])).status_code == 200
    listed = {each["id"]: each for each in service.http.get("/keys", headers=service.admin).json()["items"]}
    assert (listed[made["id"]]["state"], listed[new.json()["id"]]["state"]) == ("revoked", "valid")
    assert not any("key" in each for each in listed.values())
    assert service.http.get("/keys/AAAAAAAA", headers=service.admin).status_code == 404
    assert (
        service.http.post("/keys", json={"name": "x", "scopes": ["everything"]}, headers=service.admin).status_code
        == 422
    )
