"""The contents of an OpenSearch home: Maven artifacts, and the modules made of them."""

from __future__ import annotations

import attrs

VERSION = "3.5.0"

# Each part of the home is a Maven project, since it has its own set of jars.
SERVER = "lib"
KNN = "opensearch-knn"

_PLUGIN = "org.opensearch.plugin"


@attrs.frozen
class Module:
    """A module of every distribution: its folder, artifact and main class."""

    name: str
    artifact: str
    classname: str


MODULES = (
    Module("transport-netty4", "transport-netty4-client", "org.opensearch.transport.Netty4ModulePlugin"),
    Module("lang-painless", "lang-painless", "org.opensearch.painless.PainlessModulePlugin"),
    Module("mapper-extras", "mapper-extras-client", "org.opensearch.index.mapper.MapperExtrasModulePlugin"),
    Module("reindex", "reindex-client", "org.opensearch.index.reindex.ReindexModulePlugin"),
)

_SERVER_JARS = (
    f"org.opensearch:opensearch:{VERSION}",
    f"org.opensearch:opensearch-plugin-classloader:{VERSION}",
    "org.opensearch:opensearch-agent-bootstrap:3.4.0",  # 3.5.0 was not published
    "org.apache.logging.log4j:log4j-core:2.25.3",
)

# The plugin's zip leaves out jars that two other plugins provide.
_KNN_JARS = (
    f"{_PLUGIN}:{KNN}:{VERSION}.0:zip",
    "com.google.guava:guava:32.1.3-jre",
    "com.google.guava:failureaccess:1.0.2",
    f"{_PLUGIN}:transport-grpc-spi:3.6.0",
    "org.opensearch:protobufs:1.3.0",
    "io.grpc:grpc-api:1.75.0",
)


def parts() -> dict[str, str]:
    """Return the POM of each part of the home, by the name of the part."""
    modules = {module.name: _pom(module.name, [f"{_PLUGIN}:{module.artifact}:{VERSION}"]) for module in MODULES}
    return {SERVER: _pom(SERVER, _SERVER_JARS), **modules, KNN: _pom(KNN, _KNN_JARS, alone=True)}


def parent() -> str:
    """Return the parent POM, so that one call of Maven resolves all parts."""
    names = "".join(f"<module>{name}</module>" for name in parts())
    return f"<project><modelVersion>4.0.0</modelVersion>{_named('home')}<modules>{names}</modules></project>"


def descriptor(module: Module) -> str:
    """Return the ``plugin-descriptor.properties`` of a module, which its jar lacks."""
    lines = {
        "description": module.name,
        "name": module.name,
        "version": VERSION,
        "classname": module.classname,
        "java.version": "21",
        "opensearch.version": VERSION,
        "extended.plugins": "",
        "has.native.controller": "false",
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def _pom(name: str, artifacts: tuple[str, ...] | list[str], *, alone: bool = False) -> str:
    dependencies = "".join(_dependency(artifact, alone) for artifact in artifacts)
    body = f"<dependencies>{dependencies}</dependencies>"
    return f"<project><modelVersion>4.0.0</modelVersion>{_named(name)}{body}</project>"


def _named(name: str) -> str:
    names = f"<groupId>throwaway</groupId><artifactId>{name}</artifactId>"
    return f"{names}<version>1</version><packaging>pom</packaging>"


def _dependency(artifact: str, alone: bool) -> str:
    group, name, version, kind = (*artifact.split(":"), "jar")[:4]
    names = f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version><type>{kind}</type>"
    none = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    return f"<dependency>{names}{none if alone else ''}</dependency>"
