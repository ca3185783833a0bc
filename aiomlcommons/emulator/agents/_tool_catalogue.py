"""The tools that a server lists, with the descriptions and schemas of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.tools import Tool

UNVERSIONED = "undefined"


def _tool(name: str, description: str, attributes: Mapping[str, Any], version: str = UNVERSIONED) -> Tool:
    return Tool(name=name, description=description, type=name, version=version, attributes=attributes)


TOOLS: list[Tool] = [
    _tool(
        "ConnectorTool",
        "Invokes external service. Required: 'connector_id'. Returns: service response.",
        {},
    ),
    _tool(
        "IndexInsightTool",
        (
            "Use this tool to get details of one index according to different task type, including "
            "STATISTICAL_DATA: the data distribution and index mapping of the index, FIELD_DESCRIPTION: The "
            "description of each column, LOG_RELATED_INDEX_CHECK: Whether the index is related to log/trace "
            "and whether it contains trace/log fields"
        ),
        {
            "strict": False,
            "input_schema": (
                '        {\n            "type": "object",\n            "properties": {\n                "index": '
                '{\n                    "type": "string",\n                    "description": "OpenSearch index '
                'name"\n                },\n                "question": {\n                    "type": '
                '"string",\n                    "description": "Natural language question to query data from '
                'opensearch index"\n                }\n            }\n        },\n        "strict": false\n      '
                "}\n"
            ),
        },
    ),
    _tool(
        "QueryPlanningTool",
        (
            "Use this tool to generate OpenSearch Query DSL from natural language queries.Provide a 'question' "
            "parameter containing the complete natural language query with all necessary context, "
            "requirements, filters, and constraints.The question should be self-contained with all information "
            "needed to generate the OpenSearch DSL.Provide 'index_name' to help generate more accurate queries "
            "based on the index structure.Optionally provide embedding model ID to be used for neural search "
            "The tool will return a valid OpenSearch query that can be used to search your data."
        ),
        {},
    ),
    _tool(
        "ReadFromScratchPadTool",
        "Retrieve previous research work and notes from the persistent scratchpad.",
        {
            "strict": True,
            "input_schema": '{"type":"object","properties":{}}',
        },
        "1",
    ),
    _tool(
        "VisualizationTool",
        (
            "Searches for saved visualizations by name. Required: 'input' (visualization name, supports "
            "partial matches). Returns: list of matching visualizations with their titles and IDs."
        ),
        {
            "strict": False,
            "input_schema": (
                '{"type":"object","properties":{"input":{"type":"string","description":"Visualization name to '
                'search for"}},"required":["input"],"additionalProperties":false}'
            ),
        },
    ),
    _tool(
        "McpSseTool",
        "A tool from MCP Server",
        {},
    ),
    _tool(
        "MLModelTool",
        "Use this tool to run any model.",
        {},
    ),
    _tool(
        "AgentTool",
        "Use this tool to run any agent.",
        {},
    ),
    _tool(
        "WriteToScratchPadTool",
        "Save research plans, findings, and progress updates to a persistent scratchpad.",
        {
            "strict": True,
            "input_schema": (
                '{"type":"object","properties":{"notes":{"type":"string","description":"The notes to be saved to '
                'the scratchpad."}},"required":["notes"]}'
            ),
        },
        "1",
    ),
    _tool(
        "IndexMappingTool",
        (
            "This tool returns index mappings and settings for specified indices. Required argument: 'index' - "
            "comma-delimited list of one or more indices (supports wildcards like 'my-index-*'). Optional "
            "argument: 'local' - if true, returns info from local node only instead of cluster manager "
            "(default: false). Response format: For each index, 'mappings' contains field definitions under "
            "'properties' (each field has a 'type'), and 'settings' contains configuration as a flattened "
            "key-value map."
        ),
        {
            "strict": True,
            "input_schema": (
                '{"type":"object","properties":{"index":{"type":"array","description":"OpenSearch index name list, '
                'separated by comma. for example: [\\"index1\\", '
                '\\"index2\\"]","items":{"type":"string"}}},"required":["index"],"additionalProperties":false}'
            ),
        },
    ),
    _tool(
        "McpStreamableHttpTool",
        "A tool from MCP Streamable HTTP Server",
        {},
    ),
    _tool(
        "ListIndexTool",
        (
            "This tool returns information about indices in the OpenSearch cluster along with the index "
            "`health`, `status`, `index`, `uuid`, `pri`, `rep`, `docs.count`, `docs.deleted`, `store.size`, "
            "`pri.store. size `, `pri.store.size`, `pri.store`. Optional arguments: 1. `indices`, a "
            "comma-delimited list of one or more indices to get information from (default is an empty list "
            "meaning all indices). Use only valid index names. 2. `local`, whether to return information from "
            "the local node only instead of the cluster manager node (Default is false)"
        ),
        {
            "strict": False,
            "input_schema": (
                '{"type":"object","properties":{"indices":{"type":"array","items": {"type": '
                '"string"},"description":"OpenSearch index name list, separated by comma. for example: '
                '[\\"index1\\", \\"index2\\"], use empty array [] to list all indices in the '
                'cluster"}},"additionalProperties":false}'
            ),
        },
    ),
    _tool(
        "SearchIndexTool",
        (
            "Use this tool to search an index by providing two parameters: 'index' for the index name, and "
            "'query' for the OpenSearch DSL formatted query. Only use this tool when both index name and DSL "
            "query is available. Returns documents matching the query in the provided index."
        ),
        {
            "strict": False,
            "input_schema": (
                '{"type":"object","properties":{"index":{"type":"string","description":"OpenSearch index name. for '
                'example: index1"},"query":{"type":"object","description":"OpenSearch search index query. You need '
                "to get index mapping to write correct search query. It must be a valid OpenSearch query. Valid "
                'value:\\n{\\"query\\":{\\"match\\":{\\"population_description\\":\\"seattle 2023 '
                'population\\"}},\\"size\\":2,\\"_source\\":\\"population_description\\"}\\nInvalid value: '
                '\\n{\\"match\\":{\\"population_description\\":\\"seattle 2023 population\\"}}\\nThe value is '
                "invalid because the match not wrapped by "
                '\\"query\\".","additionalProperties":false}},"required":["index","query"],"additio'
                'nalProperties":false}'
            ),
        },
    ),
]
