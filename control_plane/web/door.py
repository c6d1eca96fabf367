"""At the door: who calls, and whether they may. Nothing of a body is read before."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.access import credentials
from control_plane.access.keyring import Keyring
from control_plane.access.lockout import Lockout
from control_plane.access.oidc import Issuer
from control_plane.access.policy import POLICY, Access, Policy
from control_plane.access.throttle import Throttle
from control_plane.domain.callers import OF_EVERYBODY, SCOPES, Caller, Mode
from control_plane.errors import Forbidden, ProviderUnavailable, RateLimited, ServingError, Unauthorized
from control_plane.telemetry import logs
from control_plane.web.problems import problem
from control_plane.web.refusal import Tally

_NEEDED = {
    "off": "Changes need a credential, also where all else is open. Send the admin token as 'Authorization: Bearer …'; "
    "make run says where it is kept.",
    "keys": "This needs an API key. Send it as 'Authorization: Bearer ww_…'; whoever runs the service makes one with "
    "`weedwatch keys create`.",
    "oidc": "This needs an access token or an API key. Sign in, and send it as 'Authorization: Bearer …'.",
}
_WRONG = "This credential is not valid here: unknown, expired or revoked. Ask whoever runs the service for a new one."


class Keeper:
    """Tells from a credential who calls."""

    def __init__(
        self,
        mode: Mode,
        keyring: Keyring,
        admin_token: str,
        issuer: Issuer | None = None,
        lockout: Lockout | None = None,
    ) -> None:
        self.mode = mode
        self._lockout = lockout or Lockout(0)
        self.issuer = issuer
        self._keyring = keyring
        self._admin_token = admin_token

    async def let_in(self, access: Access, authorization: list[str], address: str) -> Caller | None:
        """The caller, who may be here; None where everybody may and this one did not say who it is.

        Raises:
            Unauthorized: No credential, or none that is valid.
            Forbidden: The credential lacks the scope.
            ProviderUnavailable: It is a token that nobody can check at present.
            RateLimited: Too many were wrong; this one is not looked at.
        """
        try:
            caller = await self.caller(authorization, address)
        except (Unauthorized, ProviderUnavailable, RateLimited):
            if access == "open":
                return None
            raise
        if access == "open":
            return caller
        if caller is None or (self.mode == "off" and access == "admin" and not authorization):
            raise Unauthorized(_NEEDED[self.mode])
        if access != "any" and not caller.may(access):
            raise Forbidden(f"This credential lacks the scope '{access}'. Use one that has it.")
        return caller

    async def caller(self, authorization: list[str], address: str) -> Caller | None:
        """Who that is; None when there is no credential and nobody is let in without.

        Raises:
            Unauthorized: The credential is not valid.
            ProviderUnavailable: As above.
            RateLimited: As above.
        """
        if not authorization:
            if self.mode != "off":
                return None
            return Caller("anonymous", OF_EVERYBODY, None, address, f"address:{address}")
        scheme, _, text = authorization[0].partition(" ")
        if len(authorization) > 1 or scheme.lower() != "bearer":
            raise Unauthorized("Send one credential, as 'Authorization: Bearer …'.")
        text = text.strip()
        await self._lockout.check(address, text)
        try:
            caller = await self._holder(text, address)
        except Unauthorized:
            await self._lockout.failed(address, text)
            raise
        self._lockout.passed(address, text)
        return caller

    async def _holder(self, text: str, address: str) -> Caller:
        if credentials.matches(text, self._admin_token):
            return Caller("admin", frozenset(SCOPES), None, address, "admin")
        if (key := self._keyring.find(text)) is not None:
            return Caller(f"key {key.id}", frozenset(key.scopes), key.owner, address, f"key:{key.id}", key.limits)
        if self.issuer and not text.startswith("ww_"):
            verified = await self.issuer.verify(text)
            subject = verified.subject
            return Caller(f"token {subject}", verified.scopes, subject, address, f"token:{subject}")
        raise Unauthorized(_WRONG)


class Door:
    """Puts the caller into the request's state, or answers 401, 403 or 429."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._policy = Policy(POLICY)
        self._tally = Tally("rate_limited")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        keeper: Keeper = scope["app"].state.parts.keeper
        throttle: Throttle = scope["app"].state.parts.throttle
        client = scope.get("client")
        address = client[0] if client else ""
        try:
            caller = scope["state"]["caller"] = await self._let_in(keeper, throttle, address, scope)
            passage = await throttle.enter(caller, address, scope)
        except RateLimited as error:  # also where there are thousands of them
            scope["state"]["quiet"] = True
            self._tally.count()
            scope["app"].state.parts.metrics.errors.labels(error.code).inc()
            wait = error.retry_after_seconds
            answer = problem(error.kind, detail=error.detail, retry_after_seconds=wait, path=scope["path"])
            await answer(scope, receive, send)
            return
        except ServingError as error:
            refusal = scope["app"].exception_handlers[ServingError](Request(scope), error)
            await (await refusal)(scope, receive, send)
            return
        if (caller := scope["state"]["caller"]) is not None:
            logs.address.set(caller.address)  # the context of the request, which ends with it
        try:
            await self.app(scope, passage.counted(receive), send)
        finally:
            passage.leave()

    async def _let_in(self, keeper: Keeper, throttle: Throttle, address: str, scope: Scope) -> Caller | None:
        access = self._policy.of(scope["method"], scope["path"])
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        try:
            return await keeper.let_in(access, given, address)
        except ServingError:
            (await throttle.enter(None, address, scope)).leave()  # who is turned away counts for its address, too
            raise
