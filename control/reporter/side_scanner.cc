#include "control/reporter/side_scanner.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"

namespace chartly::reporter {
namespace {

constexpr std::pair<const char*, Role> kPrefixes[] = {
    {"dims.", Role::kDim}, {"measures.", Role::kMeasure}, {"attrs.", Role::kAttr}};

// One filter bound to the columns of one batch.
struct BoundFilter {
  const Expression* expression;
  std::vector<FieldReader> fields;  // by name of the expression
  bool Holds(uint32_t row) const {
    return expression->Matches([&](size_t name) { return fields[name].Get(row); });
  }
};

bool IsCurrent(absl::string_view bitmap, uint32_t row) {
  return bitmap.empty() || (static_cast<uint8_t>(bitmap[row / 8]) >> (row % 8) & 1) != 0;
}

bool AllHold(const std::vector<BoundFilter>& filters, uint32_t row) {
  for (const BoundFilter& filter : filters) {
    if (!filter.Holds(row)) return false;
  }
  return true;
}

}  // namespace

void SideScanner::Learn(const Batch& batch) {
  if (batch.rows() == 0) return;
  saw_records_ = true;
  for (const BatchColumn& column : batch.columns()) names_[static_cast<size_t>(column.role())].insert(column.name());
}

SideScanner::FieldName SideScanner::Resolve(absl::string_view name) const {
  for (const auto& [prefix, role] : kPrefixes) {
    if (!absl::StartsWith(name, prefix)) continue;
    std::string bare(name.substr(absl::string_view(prefix).size()));
    return {role, bare, names_[static_cast<size_t>(role)].count(bare) > 0};
  }
  std::string bare(name);
  for (const auto& [prefix, role] : kPrefixes) {
    if (names_[static_cast<size_t>(role)].count(bare) > 0) return {role, bare, true};
  }
  return {Role::kDim, bare, false};
}

absl::Status SideScanner::Take(absl::string_view batch_bytes, absl::string_view current) {
  ASSIGN_OR_RETURN(Batch batch, Batch::Parse(batch_bytes));
  if (!current.empty() && current.size() < (batch.rows() + 7) / 8) {
    return Error(absl::StatusCode::kDataLoss, "BATCH_CORRUPT", "the bitmap of current rows is shorter than the batch");
  }
  Learn(batch);
  FieldReader measure(batch, Role::kMeasure, plan_.measure);
  std::vector<FieldReader> dims;
  for (const std::string& dim : plan_.dims) dims.emplace_back(batch, Role::kDim, dim);
  std::vector<BoundFilter> filters;
  for (const Expression& filter : plan_.filters) {
    filters.push_back({&filter, {}});
    for (const std::string& name : filter.names()) {
      FieldName field = Resolve(name);
      filters.back().fields.emplace_back(batch, field.role, field.name);
    }
  }
  std::string key;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    if (!IsCurrent(current, row) || !AllHold(filters, row)) continue;
    ++records_;
    Value value = measure.Get(row);
    if (value.is_null()) {
      ++null_measures_;
      continue;
    }
    key.clear();
    bool has_null = false;
    for (FieldReader& dim : dims) {
      if (dim.AppendKeyPart(row, key)) continue;
      has_null = true;
      key.append(4, '\0');  // a part of length 0: no value has it
    }
    RETURN_IF_ERROR(join_.Add(
        side_, key, has_null, [&](size_t d) { return dims[d].Get(row); }, value));
  }
  return absl::OkStatus();
}

absl::Status SideScanner::Unknown(absl::string_view what, absl::string_view name) const {
  std::vector<std::string> known;
  for (const auto& [prefix, role] : kPrefixes) {
    for (const std::string& field : names_[static_cast<size_t>(role)]) known.push_back(absl::StrCat(prefix, field));
  }
  return Error(absl::StatusCode::kInvalidArgument, "REPORT_UNKNOWN_FIELD",
               absl::StrCat("the records of profile ", plan_.profile_id, " have no ", what, " \"", name,
                            "\"; they have ", absl::StrJoin(known, ", ")),
               {{"profile_id", plan_.profile_id}, {"field", name}});
}

absl::Status SideScanner::CheckNames() const {
  if (!saw_records_) return absl::OkStatus();
  if (names_[static_cast<size_t>(Role::kMeasure)].count(plan_.measure) == 0) return Unknown("measure", plan_.measure);
  for (const std::string& dim : plan_.dims) {
    if (names_[static_cast<size_t>(Role::kDim)].count(dim) == 0) return Unknown("dim", dim);
  }
  for (const Expression& filter : plan_.filters) {
    for (const std::string& name : filter.names()) {
      if (!Resolve(name).known) return Unknown("field", name);
    }
  }
  return absl::OkStatus();
}

}  // namespace chartly::reporter
