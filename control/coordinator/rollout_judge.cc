#include "control/coordinator/rollout_judge.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace chartly::coordinator {
namespace {

// A field that fewer records hold is one that comes and goes.
constexpr double kUsualShare = 0.5;
// So few records more or less say nothing.
constexpr double kFewRecords = 2;

double ShareOf(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string Percent(double share) { return absl::StrFormat("%.0f%%", share * 100); }

struct Field {
  int64_t values = 0;
  std::set<std::string> types;
};
using Fields = std::map<std::string, Field>;

Fields FieldsOf(const RunStats& run) {
  Fields fields;
  for (const v1::RunField& field : run.fields()) {
    if (field.values() == 0) continue;
    Field& entry = fields[field.name()];
    entry.values += field.values();
    entry.types.insert(field.type());
  }
  return fields;
}

// Over all runs of the base, as if they were one.
RunStats Together(const std::vector<RunStats>& runs) {
  RunStats all;
  for (const RunStats& run : runs) {
    all.set_records(all.records() + run.records());
    all.set_duplicates(all.duplicates() + run.duplicates());
    all.set_fetched(all.fetched() + run.fetched());
    all.set_quarantined(all.quarantined() + run.quarantined());
    for (const v1::RunField& field : run.fields()) *all.add_fields() = field;
  }
  return all;
}

std::string ComparedRecords(const RunStats& run, int64_t before, absl::string_view bound) {
  return absl::StrCat("the run gave ", run.records(), " records; runs of the revision before gave ", before, " or ",
                      bound);
}

std::optional<RolloutFault> JudgeRecords(const std::vector<RunStats>& base, const RunStats& run,
                                         const JudgeOptions& options) {
  auto by_records = [](const RunStats& a, const RunStats& b) { return a.records() < b.records(); };
  auto [fewest, most] = std::minmax_element(base.begin(), base.end(), by_records);
  const double least = static_cast<double>(fewest->records()) / options.records_factor - kFewRecords;
  const double limit = static_cast<double>(most->records()) * options.records_factor + kFewRecords;
  const auto records = static_cast<double>(run.records());
  if (records < least || (run.records() == 0 && fewest->records() > 0)) {
    return RolloutFault{"RECORDS_LOST", ComparedRecords(run, fewest->records(), "more")};
  }
  if (records <= limit) return std::nullopt;
  // A source that does not change gives duplicates in each run: what counts is those among the records that are too
  // many.
  int64_t duplicates = 0;
  for (const RunStats& before : base) duplicates = std::max(duplicates, before.duplicates());
  if (run.duplicates() > duplicates + (run.records() - most->records()) / 2) {
    return RolloutFault{"DUPLICATES", absl::StrCat(ComparedRecords(run, most->records(), "fewer"), ", and ",
                                                   run.duplicates(), " of them are duplicates")};
  }
  return RolloutFault{"RECORDS_FLOOD", ComparedRecords(run, most->records(), "fewer")};
}

std::optional<RolloutFault> JudgeShares(const RunStats& base, const RunStats& run, const JudgeOptions& options) {
  const double quarantined = ShareOf(run.quarantined(), run.fetched());
  const double quarantined_before = ShareOf(base.quarantined(), base.fetched());
  if (quarantined > quarantined_before + options.share) {
    return RolloutFault{"QUARANTINE", absl::StrCat(Percent(quarantined), " of the rows went to quarantine; ",
                                                   Percent(quarantined_before), " with the revision before")};
  }
  return std::nullopt;
}

std::optional<RolloutFault> JudgeFields(const RunStats& base, const RunStats& run, const JudgeOptions& options) {
  if (run.records() == 0 || base.records() == 0) return std::nullopt;
  const Fields now = FieldsOf(run);
  for (const auto& [name, before] : FieldsOf(base)) {
    const double share_before = ShareOf(before.values, base.records());
    auto field = now.find(name);
    if (field == now.end()) {
      if (share_before < kUsualShare) continue;
      return RolloutFault{"FIELD_LOST", absl::StrCat(name, " has no values; ", Percent(share_before),
                                                     " of the records had one with the revision before")};
    }
    if (!std::includes(before.types.begin(), before.types.end(), field->second.types.begin(),
                       field->second.types.end())) {
      return RolloutFault{"FIELD_RETYPED",
                          absl::StrCat(name, " is ", absl::StrJoin(field->second.types, " and "), "; it was ",
                                       absl::StrJoin(before.types, " and "), " with the revision before")};
    }
    const double share = ShareOf(field->second.values, run.records());
    if (share < share_before - options.share) {
      return RolloutFault{"FIELD_NULLS", absl::StrCat(name, " has a value in ", Percent(share), " of the records; in ",
                                                      Percent(share_before), " with the revision before")};
    }
  }
  return std::nullopt;
}

std::optional<RolloutFault> JudgeDuration(const std::vector<RunStats>& base, const RunStats& run,
                                          const JudgeOptions& options) {
  int64_t longest = 0;
  for (const RunStats& before : base) longest = std::max(longest, before.duration_ms());
  const double limit = std::max(static_cast<double>(longest) * options.duration_factor,
                                static_cast<double>(longest + options.duration_slack_ms));
  if (static_cast<double>(run.duration_ms()) <= limit) return std::nullopt;
  return RolloutFault{"RUN_SLOW", absl::StrCat("the run took ", run.duration_ms(),
                                               " ms; runs of the revision before took ", longest, " ms or less")};
}

}  // namespace

RunStats StatsOf(const v1::Run& run, const v1::RunEnd& end) {
  RunStats stats;
  stats.set_records(run.balance().stored() + run.balance().duplicate());
  stats.set_duplicates(run.balance().duplicate());
  stats.set_fetched(run.balance().fetched());
  stats.set_quarantined(run.balance().quarantined());
  stats.set_duration_ms(run.duration_ms());
  *stats.mutable_fields() = end.fields();
  return stats;
}

std::optional<RolloutFault> JudgeRun(const std::vector<RunStats>& base, const RunStats& run,
                                     const JudgeOptions& options) {
  const RunStats together = Together(base);
  std::optional<RolloutFault> fault = JudgeShares(together, run, options);
  if (!fault && !options.counts_vary) fault = JudgeRecords(base, run, options);
  if (!fault) fault = JudgeFields(together, run, options);
  if (!fault) fault = JudgeDuration(base, run, options);
  return fault;
}

}  // namespace chartly::coordinator
