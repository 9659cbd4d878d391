#include "control/reporter/profile_sketch.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::reporter {
namespace {

// FNV-1a, then mixed so that small hashes are a fair sample.
uint64_t HashOf(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

std::string LooseForm(const Value& value) {
  std::string text = absl::AsciiStrToLower(absl::StripAsciiWhitespace(value.ToText()));
  size_t zeros = std::min(text.find_first_not_of('0'), text.size());
  return text.substr(zeros);
}

void Add(const Value& value, DimSketch& sketch) {
  std::string bytes;
  value.AppendCanonical(bytes);
  uint64_t hash = HashOf(bytes);
  sketch.text = sketch.text || value.type() == ValueType::kText;
  if (hash > sketch.bound || !sketch.exact.insert(hash).second) return;
  sketch.loose.insert(HashOf(LooseForm(value)));
  if (sketch.exact.size() <= 2 * kMaxSketchValues) return;
  std::vector<uint64_t> hashes(sketch.exact.begin(), sketch.exact.end());
  std::nth_element(hashes.begin(), hashes.begin() + kMaxSketchValues, hashes.end());
  sketch.bound = hashes[kMaxSketchValues];
  absl::erase_if(sketch.exact, [&](uint64_t kept) { return kept > sketch.bound; });
  // What is left of the loose forms belongs to values of any size, so it says nothing any more.
  sketch.loose.clear();
}

// Entries of a dictionary are added once a piece; an entry that no row uses does no harm in a proposal.
void AddColumn(const ColumnData& column, uint32_t rows, DimSketch& sketch) {
  for (uint32_t i = 0; i < EntriesOf(column); ++i) Add(Value::Text(column.Entry(i)), sketch);
  if (EntriesOf(column) > 0) return;
  for (uint32_t row = 0; row < rows; ++row) {
    if (!column.IsNull(row)) Add(column.Get(row), sketch);
  }
}

Overlap OverlapOf(const absl::flat_hash_set<uint64_t>& left, const absl::flat_hash_set<uint64_t>& right,
                  uint64_t bound) {
  Overlap overlap;
  for (uint64_t hash : left) {
    if (hash > bound) continue;
    ++overlap.left;
    overlap.shared += right.contains(hash) ? 1 : 0;
  }
  for (uint64_t hash : right) overlap.right += hash <= bound ? 1 : 0;
  return overlap;
}

}  // namespace

absl::Status ProfileSketch::Take(const RecordPiece& piece) {
  ColumnPool pool;
  ASSIGN_OR_RETURN(RecordRows records, RecordRows::Parse(piece, pool));
  const uint32_t rows = records.rows();
  for (uint32_t row = 0; row < rows; ++row) records_ += records.IsCurrent(row) ? 1 : 0;
  std::set<std::pair<Role, std::string>> fields;
  records.ForEachField([&](Role role, const std::string& name) { fields.emplace(role, name); });
  for (const auto& [role, name] : fields) {
    if (role != Role::kDim && role != Role::kMeasure) continue;
    for (const ColumnData* column : records.Find(role, name)) {
      if (role == Role::kDim) AddColumn(*column, rows, dims_[name]);
      bool number = column->type >= ValueType::kInteger && column->type <= ValueType::kFloat;
      if (role != Role::kMeasure || !number) continue;
      int64_t& count = measures_[name];
      count += rows - column->NullCount();
    }
  }
  return records.status();
}

double Overlap::part() const {
  int64_t least = std::min(left, right);
  return least == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(least);
}

Overlap ExactOverlap(const DimSketch& left, const DimSketch& right) {
  return OverlapOf(left.exact, right.exact, std::min(left.bound, right.bound));
}

Overlap LooseOverlap(const DimSketch& left, const DimSketch& right) {
  return OverlapOf(left.loose, right.loose, ~uint64_t{0});
}

}  // namespace chartly::reporter
