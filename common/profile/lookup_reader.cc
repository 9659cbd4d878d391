#include "common/profile/lookup_reader.h"

#include "absl/strings/str_cat.h"

namespace chartly {
namespace {

void ReadDefault(const NodeAt& at, NodeReader& reader, LookupConfig& out) {
  reader.Map(at, {{"value", [&](const NodeAt& value) {
                     out.miss = LookupMiss::kDefault;
                     reader.LongText(value, out.otherwise, 4096);
                   }}});
  reader.Require(at, "value", "unknown");
}

void ReadOtherwise(const NodeAt& at, NodeReader& reader, LookupConfig& out) {
  if (at.node->kind == YamlNode::Kind::kMap) return ReadDefault(at, reader, out);
  // YAML reads the word null as a value of its own.
  if (at.node->kind == YamlNode::Kind::kNull) {
    out.miss = LookupMiss::kNull;
    return;
  }
  const NodeReader::Choices<LookupMiss> misses = {{"quarantine", LookupMiss::kQuarantine},
                                                  {"keep", LookupMiss::kKeep},
                                                  {"null", LookupMiss::kNull},
                                                  {"{value: X}", LookupMiss::kDefault}};
  reader.Choice(at, misses, out.miss);
}

}  // namespace

void ReadLookup(const NodeAt& at, NodeReader& reader, LookupConfig& out) {
  bool is_map = reader.Map(at, {{"table", [&](const NodeAt& value) { reader.TextMap(value, out.table); }},
                                {"otherwise", [&](const NodeAt& value) { ReadOtherwise(value, reader, out); }}});
  if (!is_map) return;
  reader.Require(at, "table", "{A: Annual, M: Monthly}");
  const YamlNode* table = at.node->Find("table");
  if (table != nullptr && table->kind == YamlNode::Kind::kMap && table->entries.empty()) {
    reader.Invalid(Child(at, "table"), "the table is empty; write TEXT: VALUE lines, or leave lookup out");
  }
}

}  // namespace chartly
