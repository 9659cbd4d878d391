// Rows of JSON: walks the tree, notes everything that could be the rows, and takes the likeliest.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/json_tree.h"
#include "drone/suggest/row_shape.h"

namespace chartly::drone {
namespace {

using Index = JsonTree::Index;
using Kind = JsonTree::Kind;

constexpr size_t kMaxFields = 200;
constexpr size_t kRowsLookedAt = 500;
constexpr size_t kMaxFieldDepth = 4;
constexpr size_t kMaxListFields = 4;  // elements of a short list that become fields: coordinates
constexpr size_t kMaxDepth = 8;
// Rows of plain numbers without names are more often a part of a row than rows: a polygon's points.
constexpr double kNamelessPenalty = 0.05;
constexpr int kMinKeyedMembers = 3;

bool IsScalar(Kind kind) { return kind != Kind::kArray && kind != Kind::kObject; }

// Field paths of rows, in order of appearance.
class FieldPaths {
 public:
  explicit FieldPaths(const JsonTree& tree) : tree_(tree) {}

  void Add(Index node, const std::string& path, size_t depth = 0) {
    if (paths_.size() >= kMaxFields || depth > kMaxFieldDepth) return;
    Kind kind = tree_.kind(node);
    if (IsScalar(kind)) {
      if (!path.empty() && seen_.insert(path).second) paths_.push_back(path);
      return;
    }
    size_t index = 0;
    for (Index child = tree_.FirstChild(node); child != tree_.End(node); child = tree_.Next(child), ++index) {
      if (kind == Kind::kObject) {
        Add(child, AppendStep(path, tree_.key(child)), depth + 1);
      } else if (index < kMaxListFields && (IsScalar(tree_.kind(child)) || index == 0)) {
        Add(child, absl::StrCat(path, "[", index, "]"), depth + 1);
      }
    }
  }

  std::vector<std::string> Take() { return std::move(paths_); }

 private:
  const JsonTree& tree_;
  std::vector<std::string> paths_;
  std::set<std::string> seen_;
};

class JsonSurvey {
 public:
  explicit JsonSurvey(const JsonTree& tree) : tree_(tree) {}

  absl::StatusOr<RowShapeGuess> Find() {
    if (FindStat(JsonTree::kRoot) || FindGeoJson()) return best_;
    Visit({JsonTree::kRoot}, "", {}, 0);
    if (best_score_ > 0) return best_;
    // An object that is no list is one row.
    FieldPaths fields(tree_);
    fields.Add(JsonTree::kRoot, "");
    RowShapeGuess guess = Json("", RowShape::kObjects, 1, "the whole document is one row");
    guess.paths = fields.Take();
    guess.confidence = 0.5;
    if (!guess.paths.empty() && tree_.kind(JsonTree::kRoot) == Kind::kObject) return guess;
    return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_ROWS",
                 "nothing in this JSON looks like rows: no list of objects, of lists, or of values under one name");
  }

 private:
  using Nodes = std::vector<Index>;

  static RowShapeGuess Json(const std::string& records, RowShape shape, int64_t rows, const std::string& why) {
    RowShapeGuess guess;
    guess.source.format = Format::kJson;
    guess.source.shape = shape;
    guess.source.records = records;
    guess.rows = rows;
    guess.why = why;
    return guess;
  }

  bool Is(Index node, absl::string_view key, absl::string_view text) const {
    Index member = tree_.Member(node, key);
    return member != JsonTree::kNone && tree_.kind(member) == Kind::kString && tree_.text(member) == text;
  }

  // JSON-stat: a dataset here, or below one name.
  bool FindStat(Index root) {
    if (tree_.kind(root) != Kind::kObject) return false;
    std::string records;
    Index dataset = JsonTree::kNone;
    auto is_dataset = [this](Index node) {
      return tree_.kind(node) == Kind::kObject && tree_.Member(node, "dimension") != JsonTree::kNone &&
             tree_.Member(node, "value") != JsonTree::kNone;
    };
    if (is_dataset(root)) dataset = root;
    for (Index child = tree_.FirstChild(root); dataset == JsonTree::kNone && child != tree_.End(root);
         child = tree_.Next(child)) {
      if (!is_dataset(child)) continue;
      dataset = child;
      records = AppendStep("", tree_.key(child));
    }
    if (dataset == JsonTree::kNone) return false;
    Index dimension = tree_.Member(dataset, "dimension");
    Index ids = tree_.Member(dataset, "id");
    if (ids == JsonTree::kNone) ids = tree_.Member(dimension, "id");
    if (ids == JsonTree::kNone || tree_.kind(ids) != Kind::kArray) return false;
    best_ = Json(records, RowShape::kObjects, 0, "a JSON-stat cube: every cell is a row");
    best_.source.format = Format::kJsonStat;
    for (Index id = tree_.FirstChild(ids); id != tree_.End(ids); id = tree_.Next(id)) {
      std::string name(tree_.text(id));
      best_.paths.push_back(AppendStep("", name));
      best_.paths.push_back(AppendStep(AppendStep("", name), "label"));
    }
    best_.paths.push_back("value");
    best_.paths.push_back("status");
    best_.confidence = 0.95;
    return true;
  }

  bool FindGeoJson() {
    if (tree_.kind(JsonTree::kRoot) != Kind::kObject || !Is(JsonTree::kRoot, "type", "FeatureCollection")) return false;
    Index features = tree_.Member(JsonTree::kRoot, "features");
    if (features == JsonTree::kNone) return false;
    best_ = Json("", RowShape::kObjects, 0, "GeoJSON: every feature is a row");
    best_.source.format = Format::kGeoJson;
    Nodes rows = Children(features);
    best_.rows = static_cast<int64_t>(rows.size());
    best_.paths = FieldsOf(rows);
    best_.confidence = 0.95;
    return true;
  }

  Nodes Children(Index node) const {
    Nodes children;
    for (Index child = tree_.FirstChild(node); child != tree_.End(node); child = tree_.Next(child)) {
      children.push_back(child);
    }
    return children;
  }

  std::vector<std::string> FieldsOf(const Nodes& rows) const {
    FieldPaths fields(tree_);
    size_t step = std::max<size_t>(1, rows.size() / kRowsLookedAt);
    for (size_t i = 0; i < rows.size(); i += step) fields.Add(rows[i], "");
    return fields.Take();
  }

  // Scalars of the elements around the rows, as ^ paths.
  void AddOuter(const std::vector<Nodes>& outer, RowShapeGuess& guess) const {
    std::string up;
    for (size_t level = outer.size(); level-- > 0;) {
      up.push_back('^');
      if (outer[level].empty() || level == 0) continue;  // what the whole document says is no field of a row
      Index element = outer[level][0];
      for (Index child = tree_.FirstChild(element); child != tree_.End(element); child = tree_.Next(child)) {
        if (tree_.kind(element) != Kind::kObject || !IsScalar(tree_.kind(child))) continue;
        guess.paths.push_back(absl::StrCat(up, ".", AppendStep("", tree_.key(child))));
      }
    }
  }

  void Offer(RowShapeGuess guess, double weight) {
    double fields = static_cast<double>(std::min<size_t>(guess.paths.size(), 20));
    double score = static_cast<double>(guess.rows) * fields * weight;
    if (guess.rows < 1 || guess.paths.empty()) return;
    if (score > best_score_) {
      second_score_ = best_score_;
      best_score_ = score;
      best_ = std::move(guess);
    } else if (score > second_score_) {
      second_score_ = score;
    }
    best_.confidence = 0.6 + 0.35 * (1 - second_score_ / best_score_);
  }

  // `nodes` are what `path` leads to: several where it holds [*]. `outer` are the elements on the way, outermost first.
  void Visit(const Nodes& nodes, const std::string& path, const std::vector<Nodes>& outer, size_t depth) {
    if (nodes.empty() || depth > kMaxDepth) return;
    if (tree_.kind(nodes[0]) == Kind::kArray) VisitArrays(nodes, path, outer, depth);
    if (tree_.kind(nodes[0]) == Kind::kObject) VisitObjects(nodes, path, outer, depth);
  }

  void VisitArrays(const Nodes& arrays, const std::string& path, const std::vector<Nodes>& outer, size_t depth) {
    Nodes elements;
    for (Index array : arrays) {
      if (tree_.kind(array) != Kind::kArray) continue;
      Nodes children = Children(array);
      elements.insert(elements.end(), children.begin(), children.end());
    }
    if (elements.empty()) return;
    const Kind kind = tree_.kind(elements[0]);
    bool same = std::all_of(elements.begin(), elements.end(), [&](Index e) { return tree_.kind(e) == kind; });
    if (!same) {
      // Different things in one list, as [meta, rows]: each on its own.
      for (size_t i = 0; arrays.size() == 1 && i < std::min<size_t>(elements.size(), 8); ++i) {
        Visit({elements[i]}, absl::StrCat(path, "[", i, "]"), outer, depth + 1);
      }
      return;
    }
    std::vector<Nodes> inner = outer;
    if (inner.empty()) inner.push_back({JsonTree::kRoot});
    const std::string each = path + "[*]";
    if (kind == Kind::kObject) {
      RowShapeGuess guess = Json(each, RowShape::kObjects, static_cast<int64_t>(elements.size()), "a list of objects");
      guess.paths = FieldsOf(elements);
      AddOuter(inner, guess);
      Offer(std::move(guess), 1);
    } else if (kind == Kind::kArray) {
      OfferLists(arrays, elements, path, each);
    }
    inner.push_back(elements);
    Visit(elements, each, inner, depth + 1);
  }

  // Lists in a list: under a header row, or with positions for names.
  void OfferLists(const Nodes& arrays, const Nodes& rows, const std::string& path, const std::string& each) {
    const size_t width = Children(rows[0]).size();
    bool even = std::all_of(rows.begin(), rows.end(), [&](Index row) { return Children(row).size() == width; });
    if (!even || width == 0) return;
    Nodes header = Children(rows[0]);
    bool names = std::all_of(header.begin(), header.end(), [&](Index cell) {
      return tree_.kind(cell) == Kind::kString && !absl::StripAsciiWhitespace(tree_.text(cell)).empty();
    });
    std::set<std::string> distinct;
    for (Index cell : header) distinct.insert(std::string(tree_.text(cell)));
    if (names && arrays.size() == 1 && distinct.size() == width && rows.size() > 1) {
      RowShapeGuess guess = Json(path, RowShape::kHeaderRow, static_cast<int64_t>(rows.size()) - 1,
                                 "lists whose first one names the columns");
      for (Index cell : header) guess.paths.emplace_back(absl::StripAsciiWhitespace(tree_.text(cell)));
      return Offer(std::move(guess), 1);
    }
    RowShapeGuess guess =
        Json(each, RowShape::kObjects, static_cast<int64_t>(rows.size()), "lists with positions for names");
    guess.paths = FieldsOf(rows);
    Offer(std::move(guess), kNamelessPenalty);
  }

  void VisitObjects(const Nodes& objects, const std::string& path, const std::vector<Nodes>& outer, size_t depth) {
    if (objects.size() == 1) {
      OfferZipped(objects[0], path);
      OfferKeyed(objects[0], path);
    }
    std::vector<std::string> keys;
    std::map<std::string, Nodes> members;
    for (Index object : objects) {
      if (tree_.kind(object) != Kind::kObject) continue;
      for (Index child = tree_.FirstChild(object); child != tree_.End(object); child = tree_.Next(child)) {
        if (IsScalar(tree_.kind(child))) continue;
        std::string key(tree_.key(child));
        if (members[key].empty()) keys.push_back(key);
        members[key].push_back(child);
      }
    }
    if (keys.size() > kMaxFields) return;
    for (const std::string& key : keys) Visit(members[key], AppendStep(path, key), outer, depth + 1);
  }

  void OfferZipped(Index object, const std::string& path) {
    size_t length = 0;
    std::vector<std::string> names;
    for (Index child = tree_.FirstChild(object); child != tree_.End(object); child = tree_.Next(child)) {
      if (tree_.kind(child) != Kind::kArray) return;
      Nodes elements = Children(child);
      bool scalars = std::all_of(elements.begin(), elements.end(), [&](Index e) { return IsScalar(tree_.kind(e)); });
      if (!scalars || elements.size() < 2 || (length != 0 && elements.size() != length)) return;
      length = elements.size();
      names.push_back(AppendStep("", tree_.key(child)));
    }
    if (names.size() < 2) return;
    RowShapeGuess guess =
        Json(path, RowShape::kZipped, static_cast<int64_t>(length), "lists of the same length, one a column");
    guess.paths = std::move(names);
    Offer(std::move(guess), 1);
  }

  void OfferKeyed(Index object, const std::string& path) {
    Nodes members = Children(object);
    if (members.size() < kMinKeyedMembers) return;
    std::map<std::string, size_t> count;
    for (Index member : members) {
      if (tree_.kind(member) != Kind::kObject) return;
      for (Index field : Children(member)) ++count[std::string(tree_.key(field))];
    }
    bool alike =
        std::any_of(count.begin(), count.end(), [&](const auto& field) { return field.second * 2 > members.size(); });
    if (!alike) return;
    RowShapeGuess guess = Json(path, RowShape::kKeyed, static_cast<int64_t>(members.size()),
                               "objects of the same kind, each under its name");
    guess.paths = FieldsOf(members);
    guess.paths.insert(guess.paths.begin(), "$key");
    Offer(std::move(guess), 1);
  }

  const JsonTree& tree_;
  RowShapeGuess best_;
  double best_score_ = 0;
  double second_score_ = 0;
};

}  // namespace

absl::StatusOr<RowShapeGuess> GuessJson(absl::string_view text) {
  JsonTree tree;
  RETURN_IF_ERROR(tree.Parse(text));
  return JsonSurvey(tree).Find();
}

absl::StatusOr<RowShapeGuess> GuessNdjson(absl::string_view text) {
  RowShapeGuess guess;
  guess.source.format = Format::kNdjson;
  guess.why = "one JSON document a line";
  std::set<std::string> seen;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    absl::string_view line = absl::StripAsciiWhitespace(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) continue;
    if (++guess.rows > static_cast<int64_t>(kRowsLookedAt)) continue;
    JsonTree tree;
    RETURN_IF_ERROR(tree.Parse(line));
    FieldPaths fields(tree);
    fields.Add(JsonTree::kRoot, "");
    for (std::string& path : fields.Take()) {
      if (guess.paths.size() < kMaxFields && seen.insert(path).second) guess.paths.push_back(std::move(path));
    }
  }
  guess.confidence = 0.95;
  if (guess.rows > 0 && !guess.paths.empty()) return guess;
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_ROWS", "there is no line with a JSON object in it");
}

}  // namespace chartly::drone
