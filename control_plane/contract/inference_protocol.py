"""The public contract of the Open Inference Protocol, as its specification has it."""

from typing import Any

from pydantic import BaseModel, Field


class ProtocolServer(BaseModel):
    """Of the Open Inference Protocol, like all that follows up to `Failed`."""

    name: str = "weedwatch"
    version: str
    extensions: list[str] = ["binary_tensor_data", "classification"]


class TensorFacts(BaseModel):
    name: str
    datatype: str
    shape: list[int] = Field(description="-1: any number of pictures.")


class ProtocolModel(BaseModel):
    name: str
    versions: list[str] = Field(description="Those that may be asked for.")
    platform: str = "onnxruntime_onnx"
    inputs: list[TensorFacts] = Field(description="A request holds one of them.")
    outputs: list[TensorFacts]
    parameters: dict[str, Any] = Field(description="The labels in order, and how pictures become the input.")


class InferenceRequest(BaseModel):
    """Only described here: the body is read by `tensors.read`."""

    id: str | None = None
    parameters: dict[str, Any] = Field({}, description="binary_data_output, timeout (microseconds).")
    inputs: list[dict[str, Any]] = Field(
        description="One of image (BYTES [n] or [n, 1], in JSON as base64) and pixels (FP32 [n, 3, height, width])."
    )
    outputs: list[dict[str, Any]] = Field([], description="Some of probabilities, label, request_id; all by default.")


class Failed(BaseModel):
    error: str = Field(description="What happened and what to do.")
