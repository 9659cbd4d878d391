#include "common/audit/audit_lines.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/text/json_string.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"

namespace chartly {
namespace {

using google::protobuf::util::TimeUtil;

// Members in the order in which they are added; what is empty is left out.
class ObjectWriter {
 public:
  void Text(absl::string_view name, absl::string_view text) {
    if (text.empty()) return;
    Name(name);
    AppendJsonString(out_, text);
  }
  void Number(absl::string_view name, int64_t number) {
    if (number == 0) return;
    Name(name);
    absl::StrAppend(&out_, number);
  }
  // `items` is JSON already.
  void Array(absl::string_view name, const std::vector<std::string>& items) {
    if (items.empty()) return;
    Name(name);
    absl::StrAppend(&out_, "[");
    for (size_t i = 0; i < items.size(); ++i) absl::StrAppend(&out_, i == 0 ? "" : ",", items[i]);
    absl::StrAppend(&out_, "]");
  }
  std::string Take() { return absl::StrCat(out_, "}"); }

 private:
  void Name(absl::string_view name) { absl::StrAppend(&out_, out_.size() > 1 ? ",\"" : "\"", name, "\":"); }

  std::string out_ = "{";
};

std::string QuotedText(absl::string_view text) {
  std::string quoted;
  AppendJsonString(quoted, text);
  return quoted;
}

std::string KeyObject(const v1::AuditKey& key) {
  ObjectWriter object;
  object.Text("verifier", key.verifier());
  object.Number("seq", key.seq());
  object.Text("announcement", key.announcement());
  return object.Take();
}

absl::Status Invalid(absl::string_view why) { return Error(absl::StatusCode::kDataLoss, "AUDIT_LINE_INVALID", why); }

template <typename Message, typename Writer>
absl::StatusOr<Message> ParseLine(absl::string_view line, Writer write) {
  Message message;
  if (!google::protobuf::util::JsonStringToMessage(std::string(line), &message).ok()) {
    return Invalid("the line cannot be read");
  }
  if (write(message) != line) return Invalid("the line is not written as the log writes it");
  return message;
}

}  // namespace

std::string AuditHeaderLine(const v1::AuditExportHeader& header) {
  ObjectWriter object;
  object.Text("format", header.format());
  object.Text("origin", header.origin());
  object.Number("first_seq", header.first_seq());
  std::vector<std::string> subtrees;
  for (const std::string& hash : header.subtrees()) subtrees.push_back(QuotedText(hash));
  object.Array("subtrees", subtrees);
  object.Text("checkpoint", header.checkpoint());
  std::vector<std::string> keys;
  for (const v1::AuditKey& key : header.keys()) keys.push_back(KeyObject(key));
  object.Array("keys", keys);
  return object.Take();
}

std::string AuditEventLine(const v1::AuditEvent& event) {
  ObjectWriter object;
  object.Number("form", event.form());
  object.Number("seq", event.seq());
  object.Text("time", TimeUtil::ToString(event.time()));
  object.Text("tenant", event.tenant());
  object.Text("actor", event.actor());
  object.Text("actor_salt", event.actor_salt());
  object.Text("actor_digest", event.actor_digest());
  object.Text("address", event.address());
  object.Text("address_salt", event.address_salt());
  object.Text("address_digest", event.address_digest());
  object.Text("action", event.action());
  object.Text("subject", event.subject());
  object.Text("outcome", event.outcome());
  object.Text("request_id", event.request_id());
  object.Text("detail", event.detail());
  object.Text("prev_hash", event.prev_hash());
  object.Text("hash", event.hash());
  return object.Take();
}

absl::StatusOr<v1::AuditExportHeader> ParseAuditHeaderLine(absl::string_view line) {
  ASSIGN_OR_RETURN(v1::AuditExportHeader header, ParseLine<v1::AuditExportHeader>(line, AuditHeaderLine));
  if (header.format() != kAuditExportFormat) {
    return Invalid(absl::StrCat("the file does not say that it is of the format ", kAuditExportFormat));
  }
  return header;
}

absl::StatusOr<v1::AuditEvent> ParseAuditEventLine(absl::string_view line) {
  return ParseLine<v1::AuditEvent>(line, AuditEventLine);
}

}  // namespace chartly
