"""The contents of an OpenSearch home: Maven artifacts, and the modules made of them."""

from __future__ import annotations

import attrs

# The server's jars are a Maven project of their own, since each part of the home has its own set.
SERVER = "lib"

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


@attrs.frozen(kw_only=True)
class Distribution:
    """A server with one plugin: their versions, and the jars that their own artifacts leave out.

    ``extends`` are the modules and plugins that the plugin extends, of those that are there.
    """

    version: str
    plugin: str
    log4j: str
    plugin_jars: tuple[str, ...]
    extends: str = ""

    def parts(self) -> dict[str, str]:
        """Return the POM of each part of the home, by the name of the part."""
        modules = {
            module.name: _pom(module.name, [f"{_PLUGIN}:{module.artifact}:{self.version}"]) for module in MODULES
        }
        plugin = [f"{_PLUGIN}:{self.plugin}:{self.version}.0:zip", *self.plugin_jars]
        return {SERVER: _pom(SERVER, self._server()), **modules, self.plugin: _pom(self.plugin, plugin, alone=True)}

    def parent(self) -> str:
        """Return the parent POM, so that one call of Maven resolves all parts."""
        names = "".join(f"<module>{name}</module>" for name in self.parts())
        return f"<project><modelVersion>4.0.0</modelVersion>{_named('home')}<modules>{names}</modules></project>"

    def descriptor(self, module: Module) -> str:
        """Return the ``plugin-descriptor.properties`` of a module, which its jar lacks."""
        lines = {
            "description": module.name,
            "name": module.name,
            "version": self.version,
            "classname": module.classname,
            "java.version": "21",
            "opensearch.version": self.version,
            "extended.plugins": "",
            "has.native.controller": "false",
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())

    def _server(self) -> list[str]:
        return [
            f"org.opensearch:opensearch:{self.version}",
            f"org.opensearch:opensearch-plugin-classloader:{self.version}",
            "org.opensearch:opensearch-agent-bootstrap:3.4.0",  # 3.5.0 was not published
            f"org.apache.logging.log4j:log4j-core:{self.log4j}",
        ]


# The jars that two other plugins provide in a full distribution.
VECTORS = Distribution(
    version="3.5.0",
    plugin="opensearch-knn",
    log4j="2.25.3",
    extends="lang-painless",
    plugin_jars=(
        "com.google.guava:guava:32.1.3-jre",
        "com.google.guava:failureaccess:1.0.2",
        f"{_PLUGIN}:transport-grpc-spi:3.6.0",
        "org.opensearch:protobufs:1.3.0",
        "io.grpc:grpc-api:1.75.0",
    ),
)
SECURED = Distribution(
    version="3.4.0",
    plugin="opensearch-security",
    log4j="2.21.0",
    plugin_jars=("org.apache.commons:commons-collections4:4.4",),
)


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
