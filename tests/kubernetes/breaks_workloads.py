"""Failing examples of what must hold of the pods."""

from tests.kubernetes.breaking import CONTROL_PLANE, TORCHSERVE, Break, container, less, pod, spec, to, with_also

WORKLOADS = (
    Break("schemas", "a field that there is not", pod(*CONTROL_PLANE, to(restartPolicy="Always", restartPolicies="x"))),
    Break("schemas", "a number as text", spec(*TORCHSERVE, change=to(minReadySeconds="30"))),
    Break(
        "schemas",
        "a kind of an operator that nobody knows",
        with_also({"apiVersion": "example.org/v1", "kind": "Odd", "metadata": {"name": "odd"}}),
    ),
    Break("schemas", "a wrong field of the database", spec("Cluster", "postgres", change=to(instancez=3))),
    Break(
        "schemas",
        "a wrong field in KServe's pod",
        container("InferenceService", "plants", to(readinesProbe={})),
        "kserve",
    ),
    Break("words", "a word that Kubernetes does not know", container(*CONTROL_PLANE, to(imagePullPolicy="Sometimes"))),
    Break(
        "words",
        "a way of sharing that there is not",
        spec("PersistentVolumeClaim", "quarantine", change=to(accessModes=["ReadWriteMany", "WriteMany"])),
    ),
    Break(
        "selectors",
        "a selector of other pods",
        spec("Deployment", "redis", "selector", "matchLabels", change=to(tier="x")),
    ),
    Break(
        "services", "a port that no container has", spec("Service", "redis", "ports", 0, change=to(targetPort="rediss"))
    ),
    Break("services", "a selector that finds nothing", spec("Service", "redis", "selector", change=to(tier="cache"))),
    Break(
        "services",
        "names from a Service that has an address",
        spec(*CONTROL_PLANE, change=to(serviceName="control-plane")),
    ),
    Break("probes", "no readiness", container(*TORCHSERVE, less("readinessProbe"))),
    Break(
        "probes",
        "a liveness that asks for readiness",
        container(*CONTROL_PLANE, lambda main: main["livenessProbe"]["httpGet"].update(path="/health/ready")),
    ),
    Break(
        "probes",
        "a readiness that asks whether it lives",
        container(*CONTROL_PLANE, lambda main: main["readinessProbe"]["httpGet"].update(path="/health/live")),
    ),
    Break(
        "probes",
        "a probe of a port that there is not",
        container(*TORCHSERVE, lambda main: main["livenessProbe"]["httpGet"].update(port="http")),
    ),
    Break(
        "probes",
        "a readiness that is content without a worker",
        container(*TORCHSERVE, to(readinessProbe={"httpGet": {"path": "/ping", "port": "inference"}})),
    ),
    Break(
        "limits", "no limit of memory", container(*TORCHSERVE, lambda main: main["resources"]["limits"].pop("memory"))
    ),
    Break(
        "limits",
        "more than it may have",
        container(*CONTROL_PLANE, lambda main: main["resources"]["requests"].update(cpu="8")),
    ),
    Break(
        "images",
        "the newest image, whatever it is",
        container(*CONTROL_PLANE, to(image="weedwatch/control-plane:latest")),
    ),
    Break("images", "an image without a tag", container("Deployment", "redis", to(image="redis"))),
    Break("images", "one of ours of another version", container(*TORCHSERVE, to(image="weedwatch/torchserve:0.0.9"))),
    Break("rights", "root", pod(*TORCHSERVE, lambda own: own["securityContext"].update(runAsUser=0))),
    Break(
        "rights",
        "a writable root",
        container(*TORCHSERVE, lambda main: main["securityContext"].update(readOnlyRootFilesystem=False)),
    ),
    Break(
        "rights",
        "a capability",
        container(
            "Deployment", "quarantine", lambda main: main["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])
        ),
    ),
    Break(
        "rights",
        "a way to more rights",
        container(*CONTROL_PLANE, lambda main: main["securityContext"].update(allowPrivilegeEscalation=True)),
    ),
    Break(
        "rights",
        "no filter of system calls",
        pod("Deployment", "redis", lambda own: own["securityContext"].pop("seccompProfile")),
    ),
    Break(
        "rights",
        "a token of the Kubernetes API",
        pod("Deployment", "quarantine", to(automountServiceAccountToken=True)),
    ),
    Break("ends_in_time", "too little time to end", pod(*CONTROL_PLANE, to(terminationGracePeriodSeconds=20))),
    Break("ends_in_time", "an end before it left its Service", container(*CONTROL_PLANE, less("lifecycle"))),
    Break("ends_in_time", "an end amid calls", pod(*TORCHSERVE, to(terminationGracePeriodSeconds=10))),
    Break(
        "budgets",
        "a budget that lets no node be drained",
        spec("PodDisruptionBudget", "torchserve", change=to(maxUnavailable=0)),
    ),
    Break(
        "budgets",
        "a budget about nobody",
        spec("PodDisruptionBudget", "control-plane", "selector", "matchLabels", change=to(tier="x")),
    ),
    Break(
        "budgets",
        "a budget that lets all go at once",
        spec("PodDisruptionBudget", "control-plane", change=to(maxUnavailable=2)),
    ),
    Break("budgets", "replicas that may be on one node", pod(*TORCHSERVE, less("topologySpreadConstraints"))),
    Break("updates", "the next one at once", spec(*CONTROL_PLANE, change=less("minReadySeconds"))),
    Break(
        "updates",
        "two quarantines during an update",
        spec("Deployment", "quarantine", change=to(strategy={"type": "RollingUpdate"})),
    ),
)
