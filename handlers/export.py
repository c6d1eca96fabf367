"""The two forms in which a network is served: ONNX for CPUs, a torch.export program for CUDA."""

import warnings
from pathlib import Path

import torch
from onnx import ModelProto
from torch.export import Dim, ExportedProgram

from handlers.errors import SourceError
from handlers.preprocessing import InputSpec

# What exporters keep for debugging: stack traces and module paths of the machine that exported.
_TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom")


def export_program(network: torch.nn.Module, spec: InputSpec, path: Path) -> ExportedProgram:
    """Write the network as model.pt2 for batches of any size.

    Returns:
        The program, ready for `export_onnx`.

    Raises:
        SourceError: The network cannot be exported.
    """
    # Two pictures: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, spec.height, spec.width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        try:
            program = torch.export.export(network, (example,), dynamic_shapes=({0: Dim("batch", min=1)},))
        except Exception as error:
            raise SourceError(
                f"The network cannot be exported for batches of any size: {_first_line(error)}"
            ) from error
        _forget_machine(program)
        torch.export.save(program, path)
    return program


def export_onnx(program: ExportedProgram, path: Path) -> None:
    """Write the program as model.onnx: input `image` (batch, 3, height, width), output `logits`.

    Raises:
        SourceError: ONNX has no form for the network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exported = torch.onnx.export(
                program, dynamo=True, input_names=["image"], output_names=["logits"], verbose=False
            )
        except Exception as error:
            raise SourceError(f"The network cannot be exported to ONNX: {_first_line(error)}") from error
        assert exported is not None  # noqa: S101 - only the old exporter returns nothing
        model = exported.model_proto
    _forget_origins(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _forget_machine(program: ExportedProgram) -> None:
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            for key in _TRACES:
                node.meta.pop(key, None)


def _forget_origins(model: ModelProto) -> None:
    graph = model.graph
    parts = [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]
    for part in (*parts, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
