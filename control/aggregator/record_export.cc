#include "control/aggregator/record_export.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/batch/record_id.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/aggregator/export_schema.h"
#include "control/aggregator/record_filter.h"
#include "control/aggregator/record_format.h"

namespace chartly::aggregator {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;

// Letters, digits and -._ of a name; anything else becomes a dash.
std::string FileName(const v1::ExportRecordsRequest& request, absl::string_view extension) {
  std::string name = request.profile_id().empty() ? request.run_id() : request.profile_id();
  for (char& c : name) {
    bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
    if (!plain) c = '-';
  }
  return absl::StrCat(name, ".", extension);
}

absl::Status CheckNames(const SchemaBuilder& schema, const RecordFilter& filter, const RecordProjection& projection) {
  if (schema.empty()) return absl::OkStatus();
  std::vector<std::pair<Role, std::string>> names = filter.names();
  for (const RecordProjection::Entry& entry : projection.entries()) {
    if (entry.kind == RecordProjection::Entry::Kind::kField) names.emplace_back(entry.role, entry.name);
  }
  for (const auto& [role, name] : names) {
    if (schema.Has(role, name)) continue;
    return Error(absl::StatusCode::kInvalidArgument, "FIELD_NAME_UNKNOWN",
                 absl::StrCat("none of the records has a field ", RoleName(role), ".", name),
                 {{"name", absl::StrCat(RoleName(role), ".", name)}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordFormat>> MakeFormat(const v1::ExportRecordsRequest& request,
                                                         const SchemaBuilder& schema, RecordProjection projection) {
  switch (request.format()) {
    case v1::EXPORT_FORMAT_UNSPECIFIED:
    case v1::EXPORT_FORMAT_NDJSON:
      return MakeNdjsonFormat(std::move(projection));
    case v1::EXPORT_FORMAT_CSV:
      return MakeCsvFormat(schema.Build(projection), request.guard_formulas());
    case v1::EXPORT_FORMAT_PARQUET:
      return MakeParquetFormat(schema.Build(projection));
    default:
      return Error(absl::StatusCode::kInvalidArgument, "FORMAT_UNKNOWN",
                   absl::StrCat("format ", request.format(), " is not known; use ndjson, csv or parquet"));
  }
}

// Cuts the file into pieces. The first one goes out at once, so that the reader sees that there is an answer.
class PieceSender {
 public:
  PieceSender(const RecordExport::Send& send, std::string content_type, std::string file_name) : send_(send) {
    piece_.set_content_type(std::move(content_type));
    piece_.set_file_name(std::move(file_name));
  }
  std::string& out() { return out_; }
  // Sends whole pieces of what is in out().
  bool SendSome() { return out_.size() < kPieceBytes || SendFrom(kPieceBytes); }
  // Sends all of it, and at least one piece.
  bool SendAll() { return SendFrom(1) && (sent_any_ || SendPiece("")); }

 private:
  // Pieces as long as `least` bytes are left.
  bool SendFrom(size_t least) {
    size_t begin = 0;
    for (; out_.size() - begin >= least; begin += std::min(kPieceBytes, out_.size() - begin)) {
      if (!SendPiece(absl::string_view(out_).substr(begin, kPieceBytes))) return false;
    }
    out_.erase(0, begin);
    return true;
  }
  bool SendPiece(absl::string_view bytes) {
    sent_any_ = true;
    piece_.set_data(std::string(bytes));
    bool taken = send_(piece_);
    piece_.Clear();
    return taken;
  }

  const RecordExport::Send& send_;
  v1::ExportRecordsResponse piece_;
  std::string out_;
  bool sent_any_ = false;
};

absl::Status ReaderLeft() { return absl::CancelledError("the reader has gone"); }

}  // namespace

absl::Status RecordExport::Run(const v1::ExportRecordsRequest& request, const Gone& gone, const Send& send,
                               const rpc::ProjectScope& projects) {
  struct Place {
    std::atomic<int>& count;
    const int number = ++count;
    ~Place() { SetGauge("chartly_exports_active", --count); }
  } place{under_way_};
  SetGauge("chartly_exports_active", place.number);
  if (place.number > max_exports_) {
    return Error(absl::StatusCode::kResourceExhausted, "EXPORTS_BUSY",
                 absl::StrCat("all ", max_exports_, " exports that may run at a time are under way; try again later"),
                 {{"retry_after_seconds", "5"}});
  }
  return RunAdmitted(request, gone, send, projects);
}

absl::Status RecordExport::CheckThere(const v1::ExportRecordsRequest& request,
                                      const rpc::ProjectScope& projects) const {
  const std::string& run_id = request.run_id();
  if (!run_id.empty()) {
    ASSIGN_OR_RETURN(std::optional<RunState> run, store_.Run(run_id));
    if (run.has_value() && projects.Includes(run->profile_id())) return absl::OkStatus();
  } else {
    ASSIGN_OR_RETURN(std::optional<ProfileState> profile, store_.Profile(request.profile_id()));
    if (profile.has_value()) return absl::OkStatus();
  }
  return Error(
      absl::StatusCode::kNotFound, "RECORDS_NOT_FOUND",
      absl::StrCat("nothing was ever stored of ",
                   run_id.empty() ? absl::StrCat("profile ", request.profile_id()) : absl::StrCat("run ", run_id)));
}

absl::Status RecordExport::RunAdmitted(const v1::ExportRecordsRequest& request, const Gone& gone, const Send& send,
                                       const rpc::ProjectScope& projects) const {
  RecordSelection selection{request.profile_id(), request.run_id(), request.all_versions(), 0};
  ASSIGN_OR_RETURN(selection.as_of, AsOfBatch(store_, request.has_as_of(), request.as_of()));
  ASSIGN_OR_RETURN(RecordScan scan, RecordScan::Create(store_, std::move(selection)));
  ASSIGN_OR_RETURN(RecordFilter filter, RecordFilter::Compile({request.filter().begin(), request.filter().end()}));
  ASSIGN_OR_RETURN(RecordProjection projection,
                   RecordProjection::Parse({request.fields().begin(), request.fields().end()}));
  RETURN_IF_ERROR(CheckThere(request, projects));
  // The columns of a table come before its first row, so what is exported is looked through once before.
  SchemaBuilder schema(request.float_decimals());
  auto take_columns = [&schema](const RecordBlock& block) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(schema.Add(block));
    return true;
  };
  RETURN_IF_ERROR(scan.Run(ScanCursor(), gone, take_columns));
  RETURN_IF_ERROR(CheckNames(schema, filter, projection));
  ASSIGN_OR_RETURN(std::unique_ptr<RecordFormat> format, MakeFormat(request, schema, std::move(projection)));

  PieceSender sender(send, format->content_type(), FileName(request, format->extension()));
  format->Begin(sender.out());
  if (!sender.SendAll()) return ReaderLeft();
  int64_t scanned = 0;
  RETURN_IF_ERROR(scan.Run(ScanCursor(), gone, [&](const RecordBlock& block) -> absl::StatusOr<bool> {
    filter.Bind(block.columns());
    format->Bind(block);
    RecordIds ids;
    bool taken = true;
    block.rows().ForEach(0, [&](uint32_t row) {
      if (row >= block.size()) return false;
      ++scanned;
      if (!filter.Matches(row)) return true;
      if (format->needs_ids() && ids.ids.empty()) ids = block.Ids();
      format->Add(block, row, ids.ids.empty() ? Hash128() : ids.ids[row], sender.out());
      taken = sender.SendSome();
      return taken;
    });
    if (!taken) return ReaderLeft();
    return true;
  }));
  format->End(sender.out());
  Count("chartly_records_scanned_total", static_cast<double>(scanned), "export");
  Count("chartly_exports_total", 1, format->extension());
  return sender.SendAll() ? absl::OkStatus() : ReaderLeft();
}

}  // namespace chartly::aggregator
