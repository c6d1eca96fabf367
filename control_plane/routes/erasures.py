"""Erasure of a record, or of all records of a person, and the certificate of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body

from control_plane.contract.privacy import Certificate, Erase
from control_plane.records.erasure import Wanted
from control_plane.web.dependencies import By, Service

router = APIRouter(tags=["privacy"])


@router.delete("/history/{request_id}", summary="Erase one prediction, its picture and all that was made of it")
async def erase_prediction(service: Service, caller: By, request_id: UUID) -> Certificate:
    """Of one's own; with the scope admin, anybody's. The certificate can be asked for again."""
    return Certificate.of(await service.erasure.erase(Wanted(request_id=request_id), caller))


@router.post("/erasures", summary="Erase all predictions of a person")
async def erase_subject(service: Service, caller: By, wanted: Annotated[Erase, Body()]) -> Certificate:
    """Of one's own records; with the scope admin, of anybody's. What is sent while it runs may stay: ask again."""
    return Certificate.of(await service.erasure.erase(Wanted(subject=wanted.subject), caller))


@router.get("/erasures/{number}", summary="The certificate of an erasure")
async def get_certificate(service: Service, caller: By, number: UUID) -> Certificate:
    return Certificate.of(await service.erasure.certificate(number, caller))
