#include "common/profile/partition_reader.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/profile/partition.h"

namespace chartly {
namespace {

const absl::Duration kLongestWindow = absl::Hours(24 * 365) * 10;

bool IsFilled(absl::string_view path) {
  return path == "source.url" || path == "source.path" || path == "source.body" || path == "source.postgres.query" ||
         absl::StartsWith(path, "source.query.");
}

void CheckPlaces(const NodeAt& at, NodeReader& reader) {
  if (at.node->kind == YamlNode::Kind::kMap) {
    for (const YamlEntry& entry : at.node->entries) CheckPlaces({&entry.value, JoinPath(at.path, entry.key)}, reader);
    return;
  }
  if (at.node->kind == YamlNode::Kind::kSequence) {
    for (size_t i = 0; i < at.node->items.size(); ++i) {
      CheckPlaces({&at.node->items[i], ItemPath(at.path, i)}, reader);
    }
    return;
  }
  const std::string& text = at.node->text;
  if (!absl::StrContains(text, "{partition.")) return;
  if (!IsFilled(at.path)) {
    return reader.Invalid(at, "a part of time is only filled in in url, path, query, body and postgres.query");
  }
  if (const std::string unknown = UnknownPlace(text); !unknown.empty()) {
    return reader.Invalid(
        at,
        absl::StrCat("\"", unknown, "\" is no place; write {partition.start}, {partition.end} or {partition.last}"));
  }
  if (at.path == "source.postgres.query" && absl::StrContains(text, "'{partition.")) {
    reader.Invalid(at, "the part of time is filled in as a literal; leave out the quotes around {partition....}");
  }
}

}  // namespace

void ReadPartition(const NodeAt& at, NodeReader& reader, PartitionConfig& out) {
  const NodeReader::Choices<std::string> formats = {{"date", "date"}, {"rfc3339", "rfc3339"}, {"month", "month"},
                                                    {"year", "year"}, {"epoch_s", "epoch_s"}, {"epoch_ms", "epoch_ms"}};
  bool is_map = reader.Map(
      at,
      {{"window", [&](const NodeAt& value) { reader.Duration(value, absl::Seconds(1), kLongestWindow, out.window); }},
       {"format", [&](const NodeAt& value) { reader.Choice(value, formats, out.format); }}});
  if (is_map) reader.Require(at, "window", "7d");
}

void CheckPartition(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  CheckPlaces(at, reader);
  if (UsesPartition(source)) return reader.Require(at, "partition", "{window: 7d, format: date}");
  reader.RefuseKey(at, "partition",
                   "nothing in the source says where it goes; write {partition.start} and {partition.end} (or "
                   "{partition.last}) into url, path, query, body or postgres.query");
}

}  // namespace chartly
