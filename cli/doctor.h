// chartly doctor: what on this host would keep a drone from working. Every check leaves findings in a Diagnosis; what
// is wrong has a code of the table below, which docs/doctor.md shows. Nothing is changed on the host beyond a file for
// the time of a measurement. Not thread-safe.
#ifndef CHARTLY_CLI_DOCTOR_H_
#define CHARTLY_CLI_DOCTOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/session.h"

namespace chartly::cli {

enum class Severity { kOk, kWarning, kError };

absl::string_view SeverityName(Severity severity);  // "ok", "warning", "error"

struct DoctorCode {
  const char* code;
  const char* check;  // "dns", "clock", ...
  Severity severity;
  const char* cause;
  const char* fix;
};

// Codes are for good: programs look for them.
const std::vector<DoctorCode>& DoctorCodes();
// docs/doctor.md.
std::string DoctorDocument();

struct Finding {
  std::string check;
  Severity severity = Severity::kOk;
  std::string code;     // empty if all is well
  std::string subject;  // host:port, file, variable, secret
  std::string cause;    // what was seen
  std::string fix;
};

class Diagnosis {
 public:
  void Good(absl::string_view check, absl::string_view subject, absl::string_view seen);
  // Severity, and the fix unless one is given, are those of the table. Requires: the table has the code.
  void Found(absl::string_view code, absl::string_view subject, absl::string_view cause, absl::string_view fix = "");

  const std::vector<Finding>& findings() const { return findings_; }
  int64_t Count(Severity severity) const;

 private:
  std::vector<Finding> findings_;
};

// What the drone of this host is started with.
struct DoctorOptions {
  std::string id;  // of the drone
  std::string data_dir = ".chartly/drone";
  std::string coordinator;  // host:port; empty: beside the gateway
  std::string aggregator;
  std::string source_dir = ".";
  std::string secrets_dir;
  std::string ca_file;
  std::string consent_file;
  std::vector<std::string> egress_allow;
  int64_t spool_bytes = int64_t{1} << 30;
  std::vector<std::string> profiles;  // files
  std::vector<std::string> unused;    // values of flags that only a running drone needs
};

// DNS, TLS, ports, clock and key: all that needs the control plane.
void ExamineControlPlane(Session& session, const DoctorOptions& options, Diagnosis& diagnosis);
// Variables, limits, disk and spool.
void ExamineHost(const Session& session, const DoctorOptions& options, Diagnosis& diagnosis);
// Egress ranges, consent, and profiles, both the given ones and those that the control plane has assigned to the drone:
// faults, whether the owner of the host consents, hosts, secrets, and of the given ones the first page, fetched through
// the drone's own pipeline, storing nothing.
void ExamineProfiles(Session& session, const DoctorOptions& options, Diagnosis& diagnosis);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_DOCTOR_H_
