-- The document of a flow version with its keys in the order of its author: jsonb sorts them, and what a flow puts together from its document (outputs, parameters, bodies
-- of requests) would change its order with the first restart. Versions that were registered before have the sorted one.
ALTER TABLE orchestrator.flow_versions ADD COLUMN document_json json;
