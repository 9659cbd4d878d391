// Rows of XML: counts which elements repeat under one parent, and takes the likeliest.
#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status/status.h"
#include "drone/decode/xml_parser.h"
#include "drone/suggest/row_shape.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxKinds = 2000;  // of elements, told apart by the names on the way from the root
constexpr size_t kMaxFields = 200;
constexpr size_t kMaxAttributes = 64;
constexpr size_t kMaxLabels = 32;

// All elements that are reached by the same names from the root.
struct Kind {
  std::string name;
  Kind* parent = nullptr;
  std::vector<Kind*> children;
  std::vector<std::string> attributes;
  int64_t count = 0;
  int64_t most_siblings = 0;  // under one parent
  bool has_text = false;
  // An element that says by an attribute which field it is: <Value id="FREQ" value="M"/>.
  bool labelled = true;  // so far
  std::string label;     // the attribute that says so
  std::vector<std::string> labels;

  // One list of things that all have their own name is a list of rows, unless nothing else than a value stands there.
  bool IsLabelled() const {
    bool is_pair = attributes.size() == 2 && attributes[1] == "value";
    return labelled && (is_pair || (most_siblings > 1 && count > static_cast<int64_t>(labels.size())));
  }
  bool IsList() const { return most_siblings > 1 && !IsLabelled(); }
};

bool IsLabel(absl::string_view attribute) {
  return attribute == "id" || attribute == "concept" || attribute == "name" || attribute == "key" ||
         attribute == "code";
}

class XmlSurvey final : public XmlHandler {
 public:
  absl::Status OnStart(const XmlName& name, XmlAttributes attributes) override {
    Kind* kind = KindOf(open_.empty() ? nullptr : open_.back().kind, name.local);
    if (kind != nullptr) Look(*kind, attributes);
    open_.push_back({kind, {}, {}});
    return absl::OkStatus();
  }

  absl::Status OnEnd() override {
    for (const auto& [child, siblings] : open_.back().siblings) {
      child->most_siblings = std::max(child->most_siblings, siblings);
    }
    open_.pop_back();
    return absl::OkStatus();
  }

  absl::Status OnText(absl::string_view text) override {
    Kind* kind = open_.back().kind;
    if (kind != nullptr && !absl::StripAsciiWhitespace(text).empty()) kind->has_text = true;
    return absl::OkStatus();
  }

  const std::deque<Kind>& kinds() const { return kinds_; }

 private:
  struct Open {
    Kind* kind;  // none past kMaxKinds
    std::map<Kind*, int64_t> siblings;
    std::set<std::pair<Kind*, std::string>> labels;  // seen among the children
  };

  Kind* KindOf(Kind* parent, absl::string_view name) {
    if (!open_.empty() && parent == nullptr) return nullptr;
    if (parent != nullptr) {
      for (Kind* child : parent->children) {
        if (child->name == name) return child;
      }
    }
    if (kinds_.size() >= kMaxKinds) return nullptr;
    Kind& kind = kinds_.emplace_back();
    kind.name = std::string(name);
    kind.parent = parent;
    if (parent != nullptr) {
      parent->children.push_back(&kind);
      parent->labelled = false;
    }
    return &kind;
  }

  void Look(Kind& kind, XmlAttributes attributes) {
    ++kind.count;
    std::string first;
    std::string label;
    for (; !attributes.AtEnd(); attributes.Next()) {
      std::string name(attributes.name().local);
      if (first.empty()) {
        first = name;
        label = std::string(attributes.value());
      }
      bool known = std::find(kind.attributes.begin(), kind.attributes.end(), name) != kind.attributes.end();
      if (!known && kind.attributes.size() < kMaxAttributes) kind.attributes.push_back(name);
    }
    if (open_.empty()) return;
    ++open_.back().siblings[&kind];
    if (kind.count == 1) kind.label = first;
    bool fits = kind.labelled && IsLabel(first) && first == kind.label && kind.attributes.size() <= 2 &&
                open_.back().labels.emplace(&kind, label).second;
    if (fits && std::find(kind.labels.begin(), kind.labels.end(), label) == kind.labels.end()) {
      fits = kind.labels.size() < kMaxLabels;
      kind.labels.push_back(label);
    }
    kind.labelled = fits;
  }

  std::deque<Kind> kinds_;
  std::vector<Open> open_;
};

// Paths of what an element of this kind says once. `skip` is the way to the rows.
void AddFields(const Kind& kind, const std::string& path, const Kind* skip, std::vector<std::string>& paths) {
  auto add = [&paths](std::string field) {
    if (paths.size() < kMaxFields) paths.push_back(std::move(field));
  };
  for (const std::string& attribute : kind.attributes) add(AppendStep(path, "@" + attribute));
  if (kind.has_text) add(path.empty() ? "." : path);
  for (const Kind* child : kind.children) {
    if (child == skip || child->IsList()) continue;
    std::string below = AppendStep(path, child->name);
    if (!child->IsLabelled()) {
      AddFields(*child, below, skip, paths);
      continue;
    }
    for (const std::string& label : child->labels) {
      std::string chosen = absl::StrCat(below, "[@", child->label, "=\"",
                                        absl::StrReplaceAll(label, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"]");
      for (const std::string& attribute : child->attributes) {
        if (attribute != child->label) add(absl::StrCat(chosen, ".@", attribute));
      }
      if (child->has_text) add(chosen);
    }
  }
}

RowShapeGuess Rows(const Kind& row) {
  RowShapeGuess guess;
  guess.source.format = Format::kXml;
  guess.rows = row.count;
  AddFields(row, "", nullptr, guess.paths);
  std::string up = "^";
  std::string records = absl::StrCat(AppendStep("", row.name), "[*]");
  const Kind* inner = &row;
  // The root is what the whole document says; it is no field of a row.
  for (const Kind* outer = row.parent; outer->parent != nullptr; inner = outer, outer = outer->parent) {
    std::vector<std::string> said;
    AddFields(*outer, up, inner, said);
    bool is_level = outer->most_siblings > 1 || !said.empty();
    records = absl::StrCat(AppendStep("", outer->name), is_level ? "[*]." : ".", records);
    if (!is_level) continue;
    guess.paths.insert(guess.paths.end(), said.begin(), said.end());
    up.push_back('^');
  }
  guess.source.records = records;
  guess.why = absl::StrCat("every <", row.name, "> is a row, ", row.count, " of them");
  return guess;
}

}  // namespace

absl::StatusOr<RowShapeGuess> GuessXml(absl::string_view text) {
  XmlSurvey survey;
  XmlUris uris;
  XmlParser parser(survey, uris);
  TextBody body{std::string(text)};
  RETURN_IF_ERROR(parser.Parse(body));
  const Kind* best = nullptr;
  double best_score = 0;
  double second_score = 0;
  for (const Kind& kind : survey.kinds()) {
    if (kind.parent == nullptr || !kind.IsList()) continue;
    std::vector<std::string> fields;
    AddFields(kind, "", nullptr, fields);
    double score = static_cast<double>(kind.count) * static_cast<double>(std::min<size_t>(fields.size(), 20));
    if (score > best_score) {
      second_score = best_score;
      best_score = score;
      best = &kind;
    } else if (score > second_score) {
      second_score = score;
    }
  }
  if (best == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_ROWS",
                 "nothing in this XML looks like rows: no element comes several times under one parent");
  }
  RowShapeGuess guess = Rows(*best);
  guess.confidence = 0.6 + 0.35 * (1 - second_score / best_score);
  return guess;
}

}  // namespace chartly::drone
