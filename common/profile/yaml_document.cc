#include "common/profile/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

constexpr size_t kMaxKeyBytes = 1024;

// Ends the reading of a text whose rest cannot be trusted. Never leaves this file.
struct StopReading {};

// Makes a tree of the parser's events. yaml-cpp's own nodes are not used: they resolve aliases, keep duplicate keys
// and know no position of a key.
class TreeBuilder : public YAML::EventHandler {
 public:
  // Without `many`, a second document is a fault.
  TreeBuilder(absl::string_view text, size_t max_depth, bool many, std::vector<ProfileFault>& faults)
      : text_(text), max_depth_(max_depth), many_(many), faults_(faults) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') line_starts_.push_back(i + 1);
    }
  }

  std::vector<YamlNode> TakeRoots() { return std::move(roots_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0 || many_) return;
    Fault(mark, "PROFILE_MULTIPLE_DOCUMENTS", "a second document begins here; write one profile a file");
    throw StopReading();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    Place(NodeAt(mark, YamlNode::Kind::kNull));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fault(mark, "PROFILE_ALIAS_REFUSED", "aliases (*name) are not read; write the value out");
    Place(NodeAt(mark, YamlNode::Kind::kNull));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    YamlNode node = NodeAt(mark, YamlNode::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";
    if (AwaitsKey() && value == "<<" && !node.quoted) {
      Fault(mark, "PROFILE_MERGE_KEY_REFUSED", "merge keys (<<) are not read; write the keys out");
    }
    Place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    std::optional<YamlEntry> key;  // of a map: the key whose value comes next
    std::set<std::string> keys;
  };

  YamlNode NodeAt(const YAML::Mark& mark, YamlNode::Kind kind) const {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  bool AwaitsKey() const {
    return !frames_.empty() && frames_.back().node.kind == YamlNode::Kind::kMap && !frames_.back().key;
  }

  // The path of what comes next. Made only for faults: kept paths could be much longer than the text.
  std::string NextPath() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (frame.node.kind == YamlNode::Kind::kSequence) {
        path = ItemPath(path, frame.node.items.size());
      } else if (frame.key) {
        path = JoinPath(path, frame.key->key);
      }
    }
    return path;
  }

  void Fault(const YAML::Mark& mark, absl::string_view reason, absl::string_view message) {
    faults_.push_back({mark.line + 1, mark.column + 1, NextPath(), std::string(reason), std::string(message)});
    if (faults_.size() >= kMaxProfileFaults) throw StopReading();
  }

  void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    Fault(mark, "PROFILE_ANCHOR_REFUSED", "anchors (&name) are not read; write the value where it is used");
  }

  // "?" stands for a plain value, "!" for a quoted one, and also for an explicit "!" before a value.
  void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    bool explicit_tag = !tag.empty() && tag != "?" && (tag != "!" || CharacterAt(mark) == '!');
    if (!explicit_tag) return;
    Fault(mark, "PROFILE_TAG_REFUSED",
          "tags (!name) are not read; leave it out, and put text that looks like a number in quotes");
  }

  char CharacterAt(const YAML::Mark& mark) const {
    if (mark.line < 0 || static_cast<size_t>(mark.line) >= line_starts_.size()) return 0;
    size_t at = line_starts_[mark.line] + static_cast<size_t>(mark.column);
    return at < text_.size() ? text_[at] : 0;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    if (frames_.size() >= max_depth_) {
      Fault(mark, "PROFILE_TOO_DEEP", absl::StrCat("deeper than ", max_depth_, " levels; write it flatter"));
      throw StopReading();
    }
    if (AwaitsKey()) {
      Fault(mark, "PROFILE_KEY_NOT_TEXT", "a key is text; lists and maps cannot be keys");
      throw StopReading();
    }
    Frame frame;
    frame.node = NodeAt(mark, kind);
    frames_.push_back(std::move(frame));
  }

  void Close() {
    YamlNode node = std::move(frames_.back().node);
    frames_.pop_back();
    Place(std::move(node));
  }

  // Puts a finished node where it belongs: as key, as value of the key before, as item, as root.
  void Place(YamlNode node) {
    if (frames_.empty()) {
      if (node.kind != YamlNode::Kind::kNull) roots_.push_back(std::move(node));
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == YamlNode::Kind::kSequence) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key) {
      PlaceKey(frame, node);
    } else {
      frame.key->value = std::move(node);
      frame.node.entries.push_back(*std::move(frame.key));
      frame.key.reset();
    }
  }

  void PlaceKey(Frame& frame, const YamlNode& node) {
    YAML::Mark mark;
    mark.line = node.line - 1;
    mark.column = node.column - 1;
    if (node.kind != YamlNode::Kind::kScalar || node.text.empty()) {
      Fault(mark, "PROFILE_KEY_NOT_TEXT", "a key is text; a key that is empty or null cannot be read");
    } else if (node.text.size() > kMaxKeyBytes) {
      Fault(mark, "PROFILE_KEY_TOO_LONG",
            absl::StrCat("the key has ", node.text.size(), " bytes; a key has at most ", kMaxKeyBytes));
      throw StopReading();
    } else if (!frame.keys.insert(node.text).second) {
      Fault(mark, "PROFILE_KEY_DUPLICATE",
            absl::StrCat("the key \"", node.text, "\" stands here twice; keep one of them"));
    }
    frame.key = YamlEntry{node.text, node.line, node.column, {}};
  }

  absl::string_view text_;
  size_t max_depth_;
  bool many_;
  std::vector<size_t> line_starts_ = {0};
  std::vector<ProfileFault>& faults_;
  std::vector<Frame> frames_;
  std::vector<YamlNode> roots_;
  int documents_ = 0;
};

// yaml-cpp guesses encodings and mends broken ones; a profile has one meaning or none.
bool CheckCharacters(absl::string_view text, std::vector<ProfileFault>& faults) {
  int line = 1;
  size_t line_start = 0;
  for (size_t at = 0; at < text.size();) {
    unsigned char c = static_cast<unsigned char>(text[at]);
    size_t length = Utf8Length(text.substr(at));
    bool control = (c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F;
    if (length == 0 || control) {
      faults.push_back({line, static_cast<int>(at - line_start) + 1, "", "PROFILE_NOT_UTF8",
                        control ? "a control character stands here; write the text in UTF-8 without control characters"
                                : "this is not UTF-8; save the file as UTF-8"});
      return false;
    }
    if (c == '\n') {
      ++line;
      line_start = at + 1;
    }
    at += length;
  }
  return true;
}

void ReadDocuments(absl::string_view text, TreeBuilder& builder, std::vector<ProfileFault>& faults) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const StopReading&) {
  } catch (const YAML::Exception& exception) {
    bool known = !exception.mark.is_null();
    faults.push_back({known ? exception.mark.line + 1 : 0, known ? exception.mark.column + 1 : 0, "", "PROFILE_SYNTAX",
                      absl::StrCat("this is not YAML: ", exception.msg, "; check indentation, colons and quotes")});
  }
}

std::vector<YamlNode> ReadAll(absl::string_view text, size_t max_depth, bool many, std::vector<ProfileFault>& faults) {
  if (!CheckCharacters(text, faults)) return {};
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  TreeBuilder builder(text, max_depth, many, faults);
  ReadDocuments(text, builder, faults);
  return builder.TakeRoots();
}

}  // namespace

const YamlNode* YamlNode::Find(absl::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (key == entry.key) return &entry.value;
  }
  return nullptr;
}

std::string JoinPath(absl::string_view parent, absl::string_view key) {
  return parent.empty() ? std::string(key) : absl::StrCat(parent, ".", key);
}

std::string ItemPath(absl::string_view parent, size_t index) { return absl::StrCat(parent, "[", index, "]"); }

YamlNode ReadYaml(absl::string_view text, std::vector<ProfileFault>& faults) {
  if (text.size() > kMaxProfileBytes) {
    faults.push_back({0, 0, "", "PROFILE_TOO_LARGE",
                      absl::StrCat("the text has ", text.size(), " bytes; a profile has at most ", kMaxProfileBytes)});
    return {};
  }
  std::vector<YamlNode> roots = ReadAll(text, kMaxProfileDepth, false, faults);
  return roots.empty() ? YamlNode() : std::move(roots.front());
}

std::vector<YamlNode> ReadYamlStream(absl::string_view text, const YamlLimits& limits,
                                     std::vector<ProfileFault>& faults) {
  if (text.size() > limits.bytes) {
    faults.push_back({0, 0, "", "YAML_TOO_LARGE",
                      absl::StrCat("the text has ", text.size(), " bytes; at most ", limits.bytes, " are read")});
    return {};
  }
  return ReadAll(text, limits.depth, true, faults);
}

}  // namespace chartly
