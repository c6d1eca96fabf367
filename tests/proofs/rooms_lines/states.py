"""Every state of every room, as a person meets it; made by the real service."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.chromium import PATIENCE_MS, Visit
from tests.proofs.samples import FOLDER
from tests.proofs.wire import predict

expect.set_options(timeout=PATIENCE_MS)

VERDICTS = {
    "species": "Likely",
    "one_of": "One of these",
    "cant_tell": "Can't tell",
    "not_a_target": "None of the plants",
}


@dataclass
class Scene:
    """What the states are made with: the service's port, its folder, and a picture for each verdict."""

    port: int
    root: Path
    pictures: dict[str, Path]
    kept: str = ""  # the request id of a record with its photo
    token: str = ""

    def sample(self, name: str) -> Path:
        return self.root / FOLDER / name


Show = Callable[[Visit, Scene], None]


def empty(here: Visit, _: Scene) -> None:
    here.open()
    here.heading("No photo at hand?")
    here.page.get_by_text("About this model").wait_for()


def verdict(name: str) -> Show:
    def show(here: Visit, scene: Scene) -> None:
        here.open()
        here.page.set_input_files("input[type=file]", [scene.pictures[name]])
        here.answered()
        here.heading(VERDICTS[name])

    return show


def several(here: Visit, scene: Scene) -> None:
    here.open()
    here.page.set_input_files("input[type=file]", [scene.sample("lantana.jpg"), scene.sample("fern.jpg")])
    here.answered(2)


def wrong_file(here: Visit, scene: Scene) -> None:
    here.open()
    here.page.set_input_files("input[type=file]", [scene.root / "README.md"])
    here.page.get_by_text("Nothing was recorded of this file.").wait_for()
    here.page.get_by_text("For support").click()


def too_large(here: Visit, scene: Scene) -> None:
    large = scene.pictures["species"].with_name("large.bin")
    large.write_bytes(bytes(40 * 2**20))
    here.open()
    here.page.get_by_text("About this model").wait_for()  # the limits are known
    here.page.set_input_files("input[type=file]", [large])
    here.heading("File too large")


def sample_photo(here: Visit, _: Scene) -> None:
    here.open()
    here.page.get_by_role("button", name="Use the sample photo").click()
    here.answered()


def amended(here: Visit, scene: Scene) -> None:
    verdict("species")(here, scene)
    here.page.get_by_label("Latitude").fill("52.5")
    here.page.get_by_role("button", name="Save").click()
    here.page.get_by_text("Give both latitude and longitude").wait_for()
    here.page.get_by_label("Longitude").fill("13.4")
    here.page.get_by_role("button", name="Keep the photo, too").click()
    here.page.get_by_text("The photo is kept with the record.").first.wait_for()
    here.page.get_by_role("button", name="Save").click()
    here.page.get_by_text("Saved.").wait_for()


def waiting_for_answer(here: Visit, scene: Scene) -> None:
    """The workers stand still; nobody else asks."""
    here.open()
    here.page.set_input_files("input[type=file]", [scene.sample("lantana.jpg")])
    here.page.get_by_text("Reading the photo").wait_for()


def problem_waits(title: str) -> Show:
    def show(here: Visit, scene: Scene) -> None:
        here.open()
        here.page.set_input_files("input[type=file]", [scene.sample("lantana.jpg"), scene.sample("fern.jpg")])
        here.heading(title)
        here.page.get_by_text("2 photos wait to be sent").wait_for()

    return show


def unreachable_sample(here: Visit, _: Scene) -> None:
    here.open()
    here.page.get_by_role("button", name="Use the sample photo").click()
    here.heading("The service does not answer")


def sightings(here: Visit, _: Scene) -> None:
    here.open("sightings")
    here.page.locator("ul.cards li").first.wait_for()
    here.page.get_by_text("More filters").click()


def sightings_none(here: Visit, _: Scene) -> None:
    here.open("sightings")
    here.heading("No sightings yet")


def sightings_no_match(here: Visit, _: Scene) -> None:
    here.open("sightings?q=nothing+of+the+kind&min=90")
    here.heading("No sighting matches")


def sightings_away(here: Visit, _: Scene) -> None:
    here.open("sightings")
    here.heading("Database unavailable")


def sighting(here: Visit, scene: Scene) -> None:
    here.open(f"sightings/{scene.kept}")
    here.until("document.querySelector('img.photo')?.naturalWidth > 0")


def sighting_gone(here: Visit, _: Scene) -> None:
    here.open("sightings/01999f2c-0000-7000-8000-000000000000")
    here.heading("Not found")


def deletion(here: Visit, _: Scene) -> None:
    here.open("sightings")
    here.page.get_by_role("button", name="Delete records").click()
    expect(here.page.get_by_role("button", name="Cancel")).to_be_focused()
    here.page.get_by_label("Admin token").fill("a wrong token")
    here.page.get_by_role("button", name="Delete", exact=True).click()
    here.heading("The service does not take this credential.")


def key_asked(here: Visit, _: Scene) -> None:
    here.open()
    expect(here.page.get_by_role("dialog").get_by_label("API key")).to_be_focused()


def key_refused(here: Visit, scene: Scene) -> None:
    key_asked(here, scene)
    here.page.keyboard.type("a wrong key")
    here.page.keyboard.press("Enter")
    here.heading("The service does not take this credential.")


def photo_waits_for_a_key(here: Visit, scene: Scene) -> None:
    key_asked(here, scene)
    here.page.get_by_role("button", name="Not now").click()
    here.page.set_input_files("input[type=file]", [scene.sample("fern.jpg")])
    here.page.get_by_text("It is sent when you have signed in").wait_for()


def sign_in(here: Visit, _: Scene) -> None:
    here.open()
    here.page.get_by_role("dialog").get_by_role("button", name="Sign in").wait_for()
    here.page.get_by_text("Use an API key instead").click()
    here.page.get_by_label("API key").wait_for()


def status(here: Visit, _: Scene) -> None:
    here.open("status")
    here.page.get_by_text("Ready.").wait_for()
    expect(here.page.locator(".uplot")).to_have_count(5)
    for table in here.page.get_by_text("As a table").all():
        table.click()


def status_no_traffic(here: Visit, _: Scene) -> None:
    here.open("status")
    here.heading("No traffic in the last hour.")


def status_not_ready(here: Visit, _: Scene) -> None:
    here.open("status")
    here.heading("Not ready.")


def status_away(here: Visit, _: Scene) -> None:
    here.open("status")
    here.heading("The service does not answer.")


def nowhere(here: Visit, _: Scene) -> None:
    here.open("attic")
    here.heading("There is nothing here")


def models(here: Visit, _: Scene) -> None:
    here.open("models")
    here.page.get_by_text("Version 1 answers everybody.").wait_for()


def model(here: Visit, _: Scene) -> None:
    here.open("models/plants")
    here.page.get_by_text("Compared with version 1").first.wait_for()


def model_evidence(here: Visit, scene: Scene) -> None:
    model(here, scene)
    for title in ("All of the evidence", "Which pictures: Lantana camara", "More about it"):
        here.page.get_by_text(title).first.click()


def model_gone(here: Visit, _: Scene) -> None:
    here.open("models/roses")
    here.heading("Model not found")


def model_away(here: Visit, _: Scene) -> None:
    here.open("models/plants")
    here.heading("Database unavailable")


def models_away(here: Visit, _: Scene) -> None:
    here.open("models")
    here.heading("The service does not answer")


def opened(button: str, safe: str = "Cancel") -> Show:
    """A dialog of the model's room; the safe button has the focus."""

    def show(here: Visit, scene: Scene) -> None:
        model(here, scene)
        here.page.get_by_role("button", name=button, exact=True).click()
        expect(here.page.get_by_role("button", name=safe, exact=True)).to_be_focused()

    return show


def addition(here: Visit, scene: Scene) -> None:
    opened("Add a version …")(here, scene)
    here.page.get_by_label("Where is it?").select_option("model")
    here.page.get_by_label("Weights, model.pth").wait_for()


def token_wanted(here: Visit, scene: Scene) -> None:
    opened("Shadow … (version 2)")(here, scene)
    here.page.get_by_role("button", name="Start the shadow").click()
    expect(here.page.get_by_label("Admin token")).to_be_focused()


def token_wrong(here: Visit, scene: Scene) -> None:
    token_wanted(here, scene)
    here.page.keyboard.type("a wrong token")
    here.page.keyboard.press("Enter")
    here.heading("The service does not take this credential.")


def with_token(here: Visit, scene: Scene, button: str) -> None:
    here.page.get_by_role("button", name=button, exact=True).click()
    here.page.get_by_label("Admin token").fill(scene.token)
    here.page.keyboard.press("Enter")


def not_promoted(here: Visit, scene: Scene) -> None:
    opened("Promote … (version 2)")(here, scene)
    with_token(here, scene, "Promote")
    here.heading("Not promoted")
    here.page.get_by_label("Promote it all the same").check()
    here.page.get_by_label("Why all the same").fill("the label was wrong")


def changing(here: Visit, scene: Scene) -> None:
    opened("Canary … (version 3)")(here, scene)
    with_token(here, scene, "Start the canary")
    here.heading("The change under way")


def with_canary(here: Visit, _: Scene) -> None:
    here.page.locator(".badge.canary").wait_for()


def rolled_back(here: Visit, _: Scene) -> None:
    here.page.get_by_role("button", name="End the canary … (version 3)").click()
    here.page.get_by_role("button", name="Take it away", exact=True).click()
    here.page.get_by_text("It answers everybody.").wait_for()


# What stands in each state of the service, in the order of the stages.
BEFORE_ANY: dict[str, Show] = {
    "identify-empty": empty,
    "sightings-none": sightings_none,
    "status-no-traffic": status_no_traffic,
    "nowhere": nowhere,
}
WELL: dict[str, Show] = {
    **{f"identify-{name}": verdict(name) for name in VERDICTS},
    "identify-several": several,
    "identify-wrong-file": wrong_file,
    "identify-too-large": too_large,
    "identify-sample": sample_photo,
    "identify-amended": amended,
    "sightings": sightings,
    "sightings-no-match": sightings_no_match,
    "sightings-deletion": deletion,
    "sighting": sighting,
    "sighting-gone": sighting_gone,
    "status": status,
    "models": models,
    "model": model,
    "model-evidence": model_evidence,
    "model-gone": model_gone,
    "model-canary": opened("Canary … (version 2)"),
    "model-evaluate": opened("Evaluate … (version 2)"),
    "model-remove": opened("Remove … (version 2)"),
    "model-workers": opened("Workers … (version 1)"),
    "model-another-try": opened("Give it another try … (version 4)"),
    "model-add": addition,
    "model-token": token_wanted,
    "model-token-wrong": token_wrong,
    "model-not-promoted": not_promoted,
    "model-changing": changing,
    "model-with-canary": with_canary,
    "model-rolled-back": rolled_back,
}
DATABASE_AWAY: dict[str, Show] = {"sightings-away": sightings_away, "model-away": model_away}
STANDING_STILL: dict[str, Show] = {"identify-reading": waiting_for_answer}
OVERLOADED: dict[str, Show] = {"identify-overloaded": problem_waits("Overloaded")}
NOT_READY: dict[str, Show] = {"status-not-ready": status_not_ready}
STOPPED: dict[str, Show] = {
    "identify-sample-unreachable": unreachable_sample,
    "identify-unreachable": problem_waits("The service does not answer"),
    "status-away": status_away,
    "models-away": models_away,
}
OFFLINE: dict[str, Show] = {"identify-offline": problem_waits("You are offline")}


def keep_one(scene: Scene) -> None:
    """A record with place, note and photo."""
    picture = scene.pictures["species"].read_bytes()
    target = "/predict?consent=true&latitude=52.5&longitude=13.4&subject=ditch%20by%20the%20mill"
    scene.kept = str(predict(scene.port, picture, 30, target).body["request_id"])


def verdict_of(port: int, picture: bytes) -> str:
    return str(predict(port, picture, 30).body.get("verdict"))


WITH_KEYS: dict[str, Show] = {
    "key-asked": key_asked,
    "key-refused": key_refused,
    "key-photo-waits": photo_waits_for_a_key,
}
WITH_PROVIDER: dict[str, Show] = {"sign-in": sign_in}
