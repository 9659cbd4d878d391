#include "control/reporter/report_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock/proto_time.h"
#include "common/state/retry.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "control/reporter/report_plan.h"

namespace chartly::reporter {
namespace {

constexpr char kCollection[] = "reports/";
constexpr char kReports[] = "report/";
constexpr size_t kMaxShown = 80;  // bytes of a bad value that a message repeats
constexpr size_t kMaxIdBytes = 63;
constexpr size_t kMaxDisplayNameBytes = 200;
constexpr absl::Duration kLeastInterval = absl::Minutes(1);

std::string ReportKey(absl::string_view id) { return absl::StrCat(kReports, id); }
std::string VersionPrefix(absl::string_view id) { return absl::StrCat("version/", id, "/"); }
std::string VersionKey(absl::string_view id, int64_t version) {
  return absl::StrCat(VersionPrefix(id), absl::Hex(version, absl::kZeroPad16));
}
std::string RunPrefix(absl::string_view id) { return absl::StrCat("run/", id, "/"); }
std::string RunKey(absl::string_view id, int64_t number) {
  return absl::StrCat(RunPrefix(id), absl::Hex(number, absl::kZeroPad16));
}

absl::Status InvalidName(absl::string_view name, absl::string_view form) {
  return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
               absl::StrCat("name '", name.substr(0, kMaxShown), "' is not of the form ", form,
                            "; an id has letters in lower case, digits, '.', '_' and '-'"),
               {{"field", "name"}});
}

bool IsId(absl::string_view id) {
  auto is_plain = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  return !id.empty() && id.size() <= kMaxIdBytes && is_plain(id[0]) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return is_plain(c) || c == '.' || c == '_' || c == '-'; });
}

absl::StatusOr<std::string> ParseName(absl::string_view name) {
  absl::string_view id = name;
  if (absl::ConsumePrefix(&id, kCollection) && IsId(id)) return std::string(id);
  return InvalidName(name, "reports/{report}");
}

struct RunName {
  std::string id;
  int64_t number = 0;
};

absl::StatusOr<RunName> ParseRunName(absl::string_view name) {
  size_t at = name.find("/runs/");
  RunName parsed;
  if (at != name.npos && absl::SimpleAtoi(name.substr(at + 6), &parsed.number) && parsed.number > 0) {
    ASSIGN_OR_RETURN(parsed.id, ParseName(name.substr(0, at)));
    return parsed;
  }
  return InvalidName(name, "reports/{report}/runs/{number}");
}

template <typename Message>
absl::StatusOr<Message> Decode(const StateEntry& entry) {
  Message message;
  if (message.ParseFromString(entry.value)) return message;
  return Error(absl::StatusCode::kDataLoss, "STATE_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of the saved reports is damaged; restore the store from a backup"),
               {{"key", entry.key}});
}

absl::Status NotThere(absl::string_view name) {
  return Error(absl::StatusCode::kNotFound, "REPORT_NOT_FOUND",
               absl::StrCat("no report '", name, "'; GET /api/reports lists those there are"), {{"report", name}});
}

struct Head {
  v1::SavedReport report;
  int64_t revision = 0;
};

absl::StatusOr<Head> ReadHead(const StateStore& store, absl::string_view id) {
  absl::StatusOr<StateEntry> entry = store.Get(ReportKey(id));
  if (absl::IsNotFound(entry.status())) return NotThere(absl::StrCat(kCollection, id));
  RETURN_IF_ERROR(entry.status());
  ASSIGN_OR_RETURN(v1::SavedReport report, Decode<v1::SavedReport>(*entry));
  return Head{std::move(report), entry->revision};
}

bool IsOf(const v1::RunReportRequest& report, const rpc::ProjectScope& projects) {
  return std::all_of(report.inputs().begin(), report.inputs().end(),
                     [&](const v1::ReportInput& input) { return projects.Includes(input.profile_id()); });
}

// As it is for who may work in these projects.
absl::StatusOr<Head> ReadHead(const StateStore& store, absl::string_view id, const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(Head head, ReadHead(store, id));
  if (!IsOf(head.report.report(), projects)) return NotThere(absl::StrCat(kCollection, id));
  return head;
}

absl::Status RunNotThere(absl::string_view name) {
  return Error(absl::StatusCode::kNotFound, "REPORT_RUN_NOT_FOUND",
               absl::StrCat("no run '", name, "'; the newest ", ReportBook::kRunsKept, " of a report are kept"),
               {{"run", name}});
}

absl::Status Check(const v1::SaveReportRequest& request) {
  RETURN_IF_ERROR(Annotate(PlanReport(request.report()).status(), "report"));
  if (request.display_name().size() > kMaxDisplayNameBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "REPORT_FIELD_INVALID",
                 absl::StrCat("display_name is longer than ", kMaxDisplayNameBytes, " bytes"));
  }
  if (!request.has_interval() || FromDuration(request.interval()) >= kLeastInterval) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "REPORT_INTERVAL_INVALID",
               "interval must be 60s or more; leave it out for a report that only runs when asked");
}

bool IsSame(const v1::SavedReport& saved, const v1::SaveReportRequest& request) {
  return saved.display_name() == request.display_name() &&
         saved.report().SerializeAsString() == request.report().SerializeAsString() &&
         saved.has_interval() == request.has_interval() &&
         FromDuration(saved.interval()) == FromDuration(request.interval());
}

// The rows that do not fit go; the digest is of all that was answered.
void Keep(v1::RunReportResponse& answer) {
  size_t bytes = answer.ByteSizeLong();
  int rows = answer.rows_size();
  while (bytes > ReportBook::kMaxAnswerBytes && answer.rows_size() > 0) {
    bytes -= answer.rows(answer.rows_size() - 1).ByteSizeLong();
    answer.mutable_rows()->RemoveLast();
  }
  if (answer.rows_size() == rows) return;
  answer.set_truncated(true);
  answer.add_warnings(absl::StrCat("the run keeps the first ", answer.rows_size(), " of its rows"));
}

}  // namespace

absl::StatusOr<v1::SavedReport> ReportBook::Save(const v1::SaveReportRequest& request,
                                                 const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(std::string id, ParseName(request.name()));
  RETURN_IF_ERROR(Check(request));
  return RetryOnConflict([&] { return SaveOnce(id, request, projects); });
}

absl::StatusOr<v1::SavedReport> ReportBook::SaveOnce(const std::string& id, const v1::SaveReportRequest& request,
                                                     const rpc::ProjectScope& projects) {
  absl::StatusOr<Head> head = ReadHead(store_, id);
  if (!head.ok() && !absl::IsNotFound(head.status())) return head.status();
  if (head.ok() && !IsOf(head->report.report(), projects)) {
    return Error(absl::StatusCode::kAlreadyExists, "REPORT_NAME_TAKEN",
                 absl::StrCat("the name ", kCollection, id, " is taken; choose another"), {{"report", request.name()}});
  }
  if (head.ok() && IsSame(head->report, request)) return head->report;
  v1::SavedReport report = head.ok() ? head->report : v1::SavedReport();
  if (!head.ok()) {
    ASSIGN_OR_RETURN(std::vector<StateEntry> all, store_.Range(kReports, "", kMaxReports));
    if (all.size() == kMaxReports) {
      return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_REPORTS",
                   absl::StrCat("there are ", kMaxReports, " saved reports, the most there can be; delete some"));
    }
  }
  report.set_name(absl::StrCat(kCollection, id));
  report.set_display_name(request.display_name());
  *report.mutable_report() = request.report();
  report.clear_interval();
  report.clear_next_run_time();
  if (request.has_interval()) {
    *report.mutable_interval() = request.interval();
    *report.mutable_next_run_time() = ToTimestamp(clock_.Now());
  }
  report.set_version(report.version() + 1);
  *report.mutable_update_time() = ToTimestamp(clock_.Now());
  StateTransaction transaction;
  transaction.conditions = {{ReportKey(id), head.ok() ? head->revision : 0}};
  transaction.puts = {{ReportKey(id), report.SerializeAsString()},
                      {VersionKey(id, report.version()), report.SerializeAsString()}};
  if (report.version() > kVersionsKept) transaction.deletes = {VersionKey(id, report.version() - kVersionsKept)};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  return report;
}

absl::StatusOr<v1::SavedReport> ReportBook::Get(const v1::GetReportRequest& request,
                                                const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(std::string id, ParseName(request.name()));
  ASSIGN_OR_RETURN(Head head, ReadHead(store_, id, projects));
  if (request.version() == 0 || request.version() == head.report.version()) return head.report;
  absl::StatusOr<StateEntry> entry = store_.Get(VersionKey(id, request.version()));
  const absl::Status absent = NotThere(absl::StrCat(request.name(), " version ", request.version()));
  if (absl::IsNotFound(entry.status())) return absent;
  RETURN_IF_ERROR(entry.status());
  ASSIGN_OR_RETURN(v1::SavedReport version, Decode<v1::SavedReport>(*entry));
  if (!IsOf(version.report(), projects)) return absent;
  return version;
}

bool ReportBook::IsRunOf(const std::string& id, const v1::ReportRun& run, const rpc::ProjectScope& projects) const {
  if (!projects.bound()) return true;
  const absl::StatusOr<StateEntry> entry = store_.Get(VersionKey(id, run.version()));
  v1::SavedReport version;
  return entry.ok() && version.ParseFromString(entry->value) && IsOf(version.report(), projects);
}

absl::Status ReportBook::Delete(absl::string_view name, const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(std::string id, ParseName(name));
  return RetryOnConflict([&]() -> absl::Status {
    ASSIGN_OR_RETURN(Head head, ReadHead(store_, id, projects));
    StateTransaction transaction;
    transaction.conditions = {{ReportKey(id), head.revision}};
    for (const std::string& prefix : {VersionPrefix(id), RunPrefix(id)}) {
      ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(prefix));
      for (const StateEntry& entry : entries) transaction.deletes.push_back(entry.key);
    }
    transaction.deletes.push_back(ReportKey(id));
    return store_.Commit(transaction).status();
  });
}

absl::StatusOr<v1::ListReportsResponse> ReportBook::List(const v1::ListReportsRequest& request,
                                                         const rpc::ProjectScope& projects) const {
  StatePageQuery query{kReports, request.page_size(), request.page_token()};
  if (projects.bound()) {
    query.takes = [&projects](const StateEntry& entry) {
      v1::SavedReport report;
      return report.ParseFromString(entry.value) && IsOf(report.report(), projects);
    };
  }
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, query));
  v1::ListReportsResponse response;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(*response.add_reports(), Decode<v1::SavedReport>(entry));
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::ListReportRunsResponse> ReportBook::ListRuns(const v1::ListReportRunsRequest& request,
                                                                const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(std::string id, ParseName(request.parent()));
  RETURN_IF_ERROR(ReadHead(store_, id, projects).status());
  StatePageQuery query{RunPrefix(id), request.page_size(), request.page_token()};
  query.reverse = true;
  if (projects.bound()) {
    query.takes = [&](const StateEntry& entry) {
      v1::ReportRun run;
      return run.ParseFromString(entry.value) && IsRunOf(id, run, projects);
    };
  }
  ASSIGN_OR_RETURN(StatePage page, ReadPage(store_, query));
  v1::ListReportRunsResponse response;
  for (const StateEntry& entry : page.entries) {
    ASSIGN_OR_RETURN(v1::ReportRun run, Decode<v1::ReportRun>(entry));
    if (run.has_answer()) run.mutable_answer()->clear_rows();
    *response.add_runs() = std::move(run);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::ReportRun> ReportBook::GetRun(absl::string_view name, const rpc::ProjectScope& projects) const {
  ASSIGN_OR_RETURN(RunName parsed, ParseRunName(name));
  RETURN_IF_ERROR(ReadHead(store_, parsed.id, projects).status());
  absl::StatusOr<StateEntry> entry = store_.Get(RunKey(parsed.id, parsed.number));
  if (absl::IsNotFound(entry.status())) return RunNotThere(name);
  RETURN_IF_ERROR(entry.status());
  ASSIGN_OR_RETURN(v1::ReportRun run, Decode<v1::ReportRun>(*entry));
  if (!IsRunOf(parsed.id, run, projects)) return RunNotThere(name);
  return run;
}

absl::StatusOr<v1::ReportRun> ReportBook::AddRun(absl::string_view name, v1::ReportRun run) {
  ASSIGN_OR_RETURN(std::string id, ParseName(name));
  if (run.has_answer()) {
    run.set_answer_sha256(Sha256Hex(run.answer().SerializeAsString()));
    Keep(*run.mutable_answer());
  }
  return RetryOnConflict([&] { return AddRunOnce(id, run); });
}

absl::StatusOr<v1::ReportRun> ReportBook::AddRunOnce(const std::string& id, v1::ReportRun run) {
  ASSIGN_OR_RETURN(Head head, ReadHead(store_, id));
  v1::SavedReport report = std::move(head.report);
  int64_t number = report.run_count() + 1;
  run.set_name(absl::StrCat(kCollection, id, "/runs/", number));
  run.set_changed(run.answer_sha256() != report.last_answer_sha256());
  report.set_run_count(number);
  report.set_last_answer_sha256(run.answer_sha256());
  *report.mutable_last_run_time() = run.finish_time();
  if (report.has_interval()) {
    *report.mutable_next_run_time() = ToTimestamp(clock_.Now() + FromDuration(report.interval()));
  }
  StateTransaction transaction;
  transaction.conditions = {{ReportKey(id), head.revision}};
  transaction.puts = {{ReportKey(id), report.SerializeAsString()}, {RunKey(id, number), run.SerializeAsString()}};
  if (number > kRunsKept) transaction.deletes = {RunKey(id, number - kRunsKept)};
  RETURN_IF_ERROR(store_.Commit(transaction).status());
  return run;
}

absl::StatusOr<std::vector<v1::SavedReport>> ReportBook::Due() const {
  ASSIGN_OR_RETURN(std::vector<StateEntry> entries, store_.Range(kReports));
  std::vector<v1::SavedReport> due;
  for (const StateEntry& entry : entries) {
    ASSIGN_OR_RETURN(v1::SavedReport report, Decode<v1::SavedReport>(entry));
    bool scheduled = report.has_interval() && report.has_next_run_time();
    if (scheduled && FromTimestamp(report.next_run_time()) <= clock_.Now()) due.push_back(std::move(report));
  }
  return due;
}

absl::Status ReportBook::Health() const { return store_.Range(kReports, "", 1).status(); }

}  // namespace chartly::reporter
