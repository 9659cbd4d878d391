// Where checkpoints of the audit log go so that whoever holds this machine cannot rewrite the log unnoticed: a file
// that is only appended to, a webhook.
//
// Export is called from one thread at a time.
#ifndef CHARTLY_CONTROL_AUDIT_CHECKPOINT_EXPORT_H_
#define CHARTLY_CONTROL_AUDIT_CHECKPOINT_EXPORT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/checkpoint.h"
#include "common/net/http_client.h"
#include "common/secrets/secrets.h"

namespace chartly::audit {

struct SignedCheckpoint {
  std::string note;  // empty: none was made yet
  Checkpoint checkpoint;
};

class CheckpointExport {
 public:
  virtual ~CheckpointExport() = default;
  // For people and metrics: file, webhook.
  virtual const char* way() const = 0;
  // OK once the checkpoint is where it shall be, or will be tried again.
  virtual absl::Status Export(const SignedCheckpoint& checkpoint) = 0;
  // OK, or why the last one is not there.
  virtual absl::Status Health() const { return absl::OkStatus(); }
  // The note that went out last, as far as that can be known; else empty.
  virtual absl::StatusOr<std::string> Last() const { return std::string(); }
};

// Appends each note to the file and makes it durable. FailedPrecondition (CHECKPOINT_FILE_FAILED) if the file cannot be
// written; InvalidArgument (NOTE_INVALID) if it holds something else.
absl::StatusOr<std::unique_ptr<CheckpointExport>> OpenCheckpointFile(const std::string& path);

struct CheckpointWebhook {
  std::string url;
  SecretRef key;  // signs as our webhooks are signed (Standard Webhooks)
};

// Posts the newest note, again and again until it is taken or a newer one is there. Everything must outlive it.
std::unique_ptr<CheckpointExport> MakeCheckpointWebhook(const CheckpointWebhook& webhook, net::HttpClient& http,
                                                        const Secrets& secrets);

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_CHECKPOINT_EXPORT_H_
