#include "control/reporter/report_suggester.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/reporter/profile_sketch.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {
namespace {

// Measures that one proposal takes of a profile.
constexpr size_t kMeasures = 3;
// Below this part of the smaller side, what two dims share is chance.
constexpr double kLeastPart = 0.2;
// Dims of different names must share more, and more values, before they count as the same.
constexpr double kLeastPartUnnamed = 0.5;
constexpr int64_t kLeastSharedUnnamed = 8;

struct Sketched {
  std::string id;
  ProfileSketch sketch;
};

struct KeyPair {
  std::string left, right;
  Overlap overlap;
  bool same_name = false;
  bool loose = false;  // only with rules
  double Weight() const { return overlap.part() * (same_name ? 2 : 1) * (loose ? 0.8 : 1); }
};

struct Proposal {
  v1::ReportSuggestion message;
  double score = 0;
};

absl::string_view LastPart(absl::string_view name) {
  size_t dot = name.rfind('.');
  return dot == name.npos ? name : name.substr(dot + 1);
}

// The measures with the most numbers.
std::vector<std::string> BestMeasures(const ProfileSketch& sketch) {
  std::vector<std::pair<int64_t, std::string>> counted;
  for (const auto& [name, count] : sketch.measures()) counted.emplace_back(-count, name);
  std::sort(counted.begin(), counted.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(counted.size(), kMeasures); ++i) names.push_back(counted[i].second);
  return names;
}

std::optional<KeyPair> Compare(const std::string& left_name, const DimSketch& left, const std::string& right_name,
                               const DimSketch& right) {
  KeyPair pair{left_name, right_name, ExactOverlap(left, right), left_name == right_name, false};
  bool alike = pair.same_name || LastPart(left_name) == LastPart(right_name);
  auto enough = [&](const Overlap& overlap) {
    if (alike) return overlap.shared > 0 && overlap.part() >= kLeastPart;
    // Small numbers meet by chance: a month is no county.
    return left.text && right.text && overlap.shared >= kLeastSharedUnnamed && overlap.part() >= kLeastPartUnnamed;
  };
  if (enough(pair.overlap)) return pair;
  pair.overlap = LooseOverlap(left, right);
  pair.loose = true;
  bool rules_help = (left.text || right.text) && pair.overlap.shared >= kLeastSharedUnnamed;
  if (rules_help && enough(pair.overlap)) return pair;
  return std::nullopt;
}

// Each dim at most once, the surest pairs first.
std::vector<KeyPair> MatchDims(const ProfileSketch& left, const ProfileSketch& right) {
  std::vector<KeyPair> all;
  for (const auto& [left_name, left_dim] : left.dims()) {
    for (const auto& [right_name, right_dim] : right.dims()) {
      if (std::optional<KeyPair> pair = Compare(left_name, left_dim, right_name, right_dim)) all.push_back(*pair);
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const KeyPair& a, const KeyPair& b) { return a.Weight() > b.Weight(); });
  std::vector<KeyPair> chosen;
  for (const KeyPair& pair : all) {
    bool taken = std::any_of(chosen.begin(), chosen.end(), [&](const KeyPair& other) {
      return other.left == pair.left || other.right == pair.right;
    });
    if (!taken) chosen.push_back(pair);
  }
  return chosen;
}

std::string JoinText(const KeyPair& pair) {
  std::string text = pair.left == pair.right ? pair.left : absl::StrCat(pair.left, "=", pair.right);
  // Blanks and case go; zeros in front go with the number that they stand before.
  return pair.loose ? absl::StrCat(text, " | to_text | trim | lower | regex \"^0*(.*)$\"") : text;
}

std::string ReasonOf(const std::vector<KeyPair>& keys) {
  std::string reason;
  for (const KeyPair& key : keys) {
    absl::StrAppend(&reason, reason.empty() ? "" : "; ", key.left,
                    key.same_name ? "" : absl::StrCat(" and ", key.right), " share ", key.overlap.shared, " of ",
                    key.overlap.left, " and ", key.overlap.right, " values",
                    key.loose ? " once blanks, case and zeros in front are gone" : "");
  }
  return reason;
}

void AddInput(const Sketched& profile, const std::vector<std::string>& measures, v1::RunReportRequest& request) {
  v1::ReportInput& input = *request.add_inputs();
  input.set_profile_id(profile.id);
  for (const std::string& measure : measures) input.add_measures(measure);
}

// Measures of the same records need no join.
void ProposeAlone(const Sketched& profile, std::vector<Proposal>& proposals) {
  std::vector<std::string> measures = BestMeasures(profile.sketch);
  if (measures.size() < 2 || profile.sketch.dims().empty()) return;
  Proposal proposal;
  v1::RunReportRequest& request = *proposal.message.mutable_report();
  for (const auto& [name, dim] : profile.sketch.dims()) {
    if (request.join_size() < kMaxJoinDims) request.add_join(name);
  }
  AddInput(profile, measures, request);
  proposal.message.set_reason(absl::StrCat("the same records hold ", measures.size(), " measures"));
  proposal.score = 0.8;
  proposals.push_back(std::move(proposal));
}

void ProposePair(const Sketched& left, const Sketched& right, std::vector<Proposal>& proposals) {
  std::vector<std::string> left_measures = BestMeasures(left.sketch), right_measures = BestMeasures(right.sketch);
  std::vector<KeyPair> keys = MatchDims(left.sketch, right.sketch);
  if (left_measures.empty() || right_measures.empty() || keys.empty()) return;
  Proposal proposal;
  v1::RunReportRequest& request = *proposal.message.mutable_report();
  double part = 0;
  for (const KeyPair& key : keys) {
    request.add_join(JoinText(key));
    part += key.Weight() / 2 / static_cast<double>(keys.size());
  }
  AddInput(left, left_measures, request);
  AddInput(right, right_measures, request);
  proposal.message.set_reason(ReasonOf(keys));
  proposal.score = part;
  proposals.push_back(std::move(proposal));
}

// Runs the proposal; its rows decide how good it is. False if it gives nothing.
absl::StatusOr<bool> Try(Proposal& proposal, ReportRunner& runner, BatchSource& source) {
  v1::RunReportRequest request = proposal.message.report();
  request.mutable_window()->set_limit(1);
  ASSIGN_OR_RETURN(ReportPlan plan, PlanReport(request));
  ASSIGN_OR_RETURN(v1::RunReportResponse answer, runner.Run(plan, source));
  if (answer.n() < 2) return false;
  int64_t records = 0;
  for (const v1::ReportSide& side : answer.sides()) records = std::max(records, side.records());
  proposal.message.set_rows(answer.row_count());
  proposal.message.set_n(answer.n());
  proposal.message.set_reason(absl::StrCat(proposal.message.reason(), "; ", answer.row_count(), " rows, ", answer.n(),
                                           " with both of the first two measures"));
  proposal.score *= std::log2(1 + static_cast<double>(std::min(answer.n(), records)));
  // Rows that multiply say that the dims do not name one record.
  if (answer.row_count() > 2 * records) {
    proposal.score /= 4;
    proposal.message.set_reason(absl::StrCat(proposal.message.reason(), "; keys occur many times on both sides"));
  }
  return true;
}

}  // namespace

absl::StatusOr<v1::SuggestReportsResponse> SuggestReports(const std::vector<std::string>& profiles, int32_t limit,
                                                          ReportRunner& runner, BatchSource& source) {
  v1::SuggestReportsResponse answer;
  std::vector<Sketched> sketched;
  for (const std::string& id : profiles) {
    if (sketched.size() == kMaxSketchedProfiles) {
      answer.add_warnings(absl::StrCat("only the first ", kMaxSketchedProfiles, " of ", profiles.size(),
                                       " profiles were looked at; name those that are meant"));
      break;
    }
    Sketched one{id, {}};
    RETURN_IF_ERROR(source.Scan(id, nullptr, [&](const RecordPiece& piece) { return one.sketch.Take(piece); }));
    if (one.sketch.records() > 0) sketched.push_back(std::move(one));
  }
  std::vector<Proposal> proposals;
  for (size_t i = 0; i < sketched.size(); ++i) {
    ProposeAlone(sketched[i], proposals);
    for (size_t j = i + 1; j < sketched.size(); ++j) ProposePair(sketched[i], sketched[j], proposals);
  }
  auto better = [](const Proposal& a, const Proposal& b) { return a.score > b.score; };
  std::stable_sort(proposals.begin(), proposals.end(), better);
  if (proposals.size() > kMaxTried) proposals.resize(kMaxTried);
  std::vector<Proposal> good;
  for (Proposal& proposal : proposals) {
    absl::StatusOr<bool> tried = Try(proposal, runner, source);
    if (absl::IsResourceExhausted(tried.status())) {
      answer.add_warnings(absl::StrCat("left out, too large to try: ", proposal.message.reason()));
      continue;
    }
    if (!tried.ok()) return tried.status();
    if (*tried) good.push_back(std::move(proposal));
  }
  std::stable_sort(good.begin(), good.end(), better);
  for (size_t i = 0; i < good.size() && i < static_cast<size_t>(limit); ++i) {
    *answer.add_suggestions() = std::move(good[i].message);
  }
  return answer;
}

}  // namespace chartly::reporter
