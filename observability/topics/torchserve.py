"""TorchServe and its workers, by their own figures."""

from observability.parts import Topic

TOPIC = Topic("torchserve")
