#include "common/profile/node_reader.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/profile/nearest.h"

namespace chartly {
namespace {

// Longer texts are cut in messages.
std::string Quote(absl::string_view text) {
  return text.size() <= 64 ? absl::StrCat("\"", text, "\"") : absl::StrCat("\"", text.substr(0, 64), "...\"");
}

absl::string_view KindName(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "empty";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kMap:
      return "a map";
    case YamlNode::Kind::kSequence:
      return "a list";
  }
  return "";
}

const NodeReader::Key* FindKey(const std::vector<NodeReader::Key>& keys, absl::string_view name) {
  for (const NodeReader::Key& key : keys) {
    if (name == key.name) return &key;
  }
  return nullptr;
}

}  // namespace

NodeAt Child(const NodeAt& map, absl::string_view key) { return {map.node->Find(key), JoinPath(map.path, key)}; }

void NodeReader::Fault(const NodeAt& at, absl::string_view reason, absl::string_view message) {
  FaultAt(at.node->line, at.node->column, at.path, reason, message);
}

void NodeReader::FaultAt(int line, int column, absl::string_view path, absl::string_view reason,
                         absl::string_view message) {
  if (faults_.size() >= kMaxProfileFaults) return;
  faults_.push_back({line, column, std::string(path), std::string(reason), std::string(message)});
}

bool NodeReader::Map(const NodeAt& at, const std::vector<Key>& keys) {
  if (at.node->kind != YamlNode::Kind::kMap) {
    Invalid(at, absl::StrCat("expected keys with values, found ", KindName(at.node->kind)));
    return false;
  }
  for (const YamlEntry& entry : at.node->entries) {
    const Key* key = FindKey(keys, entry.key);
    if (key == nullptr || !key->read) {
      RefuseEntry(at, entry, keys);
    } else {
      key->read({&entry.value, JoinPath(at.path, entry.key)});
    }
  }
  return true;
}

void NodeReader::RefuseKey(const NodeAt& map, absl::string_view key, absl::string_view why) {
  if (map.node->Find(key) != nullptr) Invalid(Child(map, key), why);
}

void NodeReader::RefuseEntry(const NodeAt& map, const YamlEntry& entry, const std::vector<Key>& keys) {
  std::vector<std::string> known;
  for (const Key& key : keys) {
    if (key.read && key.listed) known.push_back(key.name);
  }
  std::string list = absl::StrJoin(known, ", ");
  std::string path = JoinPath(map.path, entry.key);
  if (FindKey(keys, entry.key) != nullptr) {
    FaultAt(entry.line, entry.column, path, "PROFILE_KEY_UNSUPPORTED",
            absl::StrCat("this version does not know ", Quote(entry.key), " yet; leave it out. It knows: ", list));
    return;
  }
  FaultAt(entry.line, entry.column, path, "PROFILE_KEY_UNKNOWN",
          absl::StrCat("unknown key ", Quote(entry.key), "; did you mean \"", NearestName(entry.key, known),
                       "\"? Known here: ", list));
}

void NodeReader::Require(const NodeAt& map, absl::string_view key, absl::string_view example) {
  if (map.node->kind != YamlNode::Kind::kMap || map.node->Find(key) != nullptr) return;
  FaultAt(map.node->line, map.node->column, JoinPath(map.path, key), "PROFILE_KEY_MISSING",
          absl::StrCat("the key is missing; add ", key, ": ", example));
}

bool NodeReader::Scalar(const NodeAt& at, absl::string_view expected) {
  if (at.node->kind == YamlNode::Kind::kScalar) return true;
  Invalid(at, absl::StrCat("expected ", expected, ", found ", KindName(at.node->kind)));
  return false;
}

void NodeReader::Text(const NodeAt& at, std::string& out, size_t max_bytes) {
  if (!Scalar(at, "text")) return;
  if (at.node->text.empty()) return Invalid(at, "the text is empty; write it or leave the key out");
  if (at.node->text.find_first_of("\r\n") != std::string::npos) return Invalid(at, "write the text in one line");
  LongText(at, out, max_bytes);
}

void NodeReader::LongText(const NodeAt& at, std::string& out, size_t max_bytes) {
  if (!Scalar(at, "text")) return;
  if (at.node->text.size() > max_bytes) {
    return Invalid(at,
                   absl::StrCat("the text has ", at.node->text.size(), " bytes; at most ", max_bytes, " are allowed"));
  }
  out = at.node->text;
}

void NodeReader::Boolean(const NodeAt& at, bool& out) {
  if (!Scalar(at, "true or false")) return;
  bool is_true = at.node->text == "true";
  if (!is_true && at.node->text != "false")
    return Invalid(at, absl::StrCat(Quote(at.node->text), " is not true or false"));
  out = is_true;
}

void NodeReader::Integer(const NodeAt& at, int64_t least, int64_t most, int64_t& out) {
  if (!Scalar(at, "a number")) return;
  int64_t number = 0;
  if (!absl::SimpleAtoi(at.node->text, &number) || number < least || number > most) {
    return Invalid(at, absl::StrCat(Quote(at.node->text), " is not a whole number from ", least, " to ", most));
  }
  out = number;
}

void NodeReader::Number(const NodeAt& at, double& out) {
  if (!Scalar(at, "a number")) return;
  double number = 0;
  if (!absl::SimpleAtod(at.node->text, &number) || !std::isfinite(number)) {
    return Invalid(at, absl::StrCat(Quote(at.node->text), " is not a number"));
  }
  out = number;
}

void NodeReader::Duration(const NodeAt& at, absl::Duration least, absl::Duration most, absl::Duration& out) {
  if (!Scalar(at, "a duration")) return;
  absl::StatusOr<absl::Duration> duration = ParseDuration(at.node->text);
  if (!duration.ok()) return Invalid(at, duration.status().message());
  if (*duration < least || *duration > most) {
    return Invalid(
        at, absl::StrCat("must be from ", DurationText(least), " to ", DurationText(most), ", not ", at.node->text));
  }
  out = *duration;
}

void NodeReader::ByteSize(const NodeAt& at, int64_t most, int64_t& out) {
  if (!Scalar(at, "a size")) return;
  absl::StatusOr<int64_t> size = ParseByteSize(at.node->text);
  if (!size.ok()) return Invalid(at, size.status().message());
  if (*size < 1 || *size > most) {
    return Invalid(at, absl::StrCat("must be from 1 to ", most, " bytes, not ", at.node->text));
  }
  out = *size;
}

void NodeReader::Rate(const NodeAt& at, double& out) {
  if (!Scalar(at, "a rate")) return;
  absl::StatusOr<double> rate = ParseRate(at.node->text);
  if (!rate.ok()) return Invalid(at, rate.status().message());
  out = *rate;
}

void NodeReader::Rate(const NodeAt& at, RequestRate& out) {
  if (!Scalar(at, "a rate")) return;
  absl::StatusOr<RequestRate> rate = ParseRequestRate(at.node->text);
  if (!rate.ok()) return Invalid(at, rate.status().message());
  out = *rate;
}

void NodeReader::Share(const NodeAt& at, double& out) {
  if (!Scalar(at, "a share")) return;
  absl::string_view digits = at.node->text;
  bool percent = absl::ConsumeSuffix(&digits, "%");
  double number = 0;
  bool is_number = absl::SimpleAtod(digits, &number) && number >= 0 && number <= (percent ? 100 : 1);
  if (!is_number) return Invalid(at, absl::StrCat(Quote(at.node->text), " is not a share; write 5% or 0.05"));
  out = percent ? number / 100 : number;
}

void NodeReader::TextMap(const NodeAt& at, std::map<std::string, std::string>& out) {
  if (at.node->kind != YamlNode::Kind::kMap) {
    return Invalid(at, absl::StrCat("expected keys with values, found ", KindName(at.node->kind)));
  }
  for (const YamlEntry& entry : at.node->entries) {
    std::string value;
    LongText({&entry.value, JoinPath(at.path, entry.key)}, value, 4096);
    out[entry.key] = value;
  }
}

void NodeReader::TextList(const NodeAt& at, std::vector<std::string>& out) {
  Items(at, [&](const NodeAt& item) {
    std::string text;
    Text(item, text);
    if (!text.empty()) out.push_back(text);
  });
}

void NodeReader::Items(const NodeAt& at, const ReadValue& read) {
  if (at.node->kind != YamlNode::Kind::kSequence) return read(at);
  for (size_t i = 0; i < at.node->items.size(); ++i) read({&at.node->items[i], ItemPath(at.path, i)});
}

void NodeReader::RefuseChoice(const NodeAt& at, const std::vector<std::string>& names) {
  std::string list = absl::StrJoin(names, ", ");
  if (!Scalar(at, absl::StrCat("one of ", list))) return;
  Fault(at, "PROFILE_VALUE_UNSUPPORTED",
        absl::StrCat("this version does not know ", Quote(at.node->text), "; write one of: ", list));
}

}  // namespace chartly
