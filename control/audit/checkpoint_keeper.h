// Signs checkpoints of the audit log (Ed25519, C2SP checkpoints), keeps them, and hands them out of the machine: every
// second in which something was appended, or every thousand events.
//
// Thread-safe. Everything must outlive it. Of the checkpoints, the newest thousand are kept.
#ifndef CHARTLY_CONTROL_AUDIT_CHECKPOINT_KEEPER_H_
#define CHARTLY_CONTROL_AUDIT_CHECKPOINT_KEEPER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/v1/audit.pb.h"
#include "common/crypto/checkpoint.h"
#include "common/crypto/signed_note.h"
#include "common/state/state_store.h"
#include "control/audit/audit_log.h"
#include "control/audit/checkpoint_export.h"

namespace chartly::audit {

struct CheckpointOptions {
  std::string key_dir;  // of the private keys, one file each
  std::string origin;   // name of a new log; empty: one is made up. A log keeps the name it has
  uint64_t events = 1000;
  absl::Duration interval = absl::Seconds(1);
};

class CheckpointKeeper {
 public:
  // Makes the first key of a new log. FailedPrecondition (AUDIT_KEY_MISSING) if the private half of the key of an older
  // log is not there.
  static absl::StatusOr<std::unique_ptr<CheckpointKeeper>> Open(StateStore& store, AuditLog& log,
                                                                const CheckpointOptions& options,
                                                                std::vector<std::unique_ptr<CheckpointExport>> exports);
  ~CheckpointKeeper() { Shutdown(); }
  void Start();
  // Signs what is not signed yet. Safe twice.
  void Shutdown();

  // The newest checkpoint; of a log that was never signed, one that is made now.
  absl::StatusOr<SignedCheckpoint> Latest();
  // A checkpoint of the log as it is now, durable.
  absl::StatusOr<SignedCheckpoint> SignNow();
  // Makes a new key. `event` says by whom; it becomes the announcement. The next checkpoint, which both keys sign, is
  // made before the old key is removed.
  absl::StatusOr<v1::AuditKey> Rotate(const v1::AuditEvent& event);
  // All keys of the log, oldest first.
  std::vector<v1::AuditKey> keys() const;
  const std::string& origin() const { return origin_; }
  // OK, or why the last checkpoint was not made or handed out, or that the log is not the one of an earlier checkpoint.
  absl::Status Health() const;

 private:
  CheckpointKeeper(StateStore& store, AuditLog& log, const CheckpointOptions& options,
                   std::vector<std::unique_ptr<CheckpointExport>> exports)
      : store_(store), log_(log), options_(options), exports_(std::move(exports)) {}

  absl::Status Load();
  absl::Status LoadOrigin();
  absl::Status LoadKeys();
  absl::Status MakeFirstKey();
  absl::Status CompareWithExports();
  std::string KeyFile(const PublicKey& key) const;
  void RemoveOldKeys();
  absl::StatusOr<SignedCheckpoint> Sign(const std::vector<NoteSigner>& signers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(signing_mu_);
  absl::Status Keep(const SignedCheckpoint& checkpoint);
  void HandOut(const SignedCheckpoint& checkpoint);
  void Run();

  StateStore& store_;
  AuditLog& log_;
  const CheckpointOptions options_;
  const std::vector<std::unique_ptr<CheckpointExport>> exports_;
  std::string origin_;
  mutable absl::Mutex signing_mu_;  // held while a checkpoint is made
  std::unique_ptr<PrivateKey> key_ ABSL_GUARDED_BY(signing_mu_);
  SignedCheckpoint latest_ ABSL_GUARDED_BY(signing_mu_);
  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(signing_mu_);
  std::vector<v1::AuditKey> keys_ ABSL_GUARDED_BY(mu_);
  uint64_t appended_ ABSL_GUARDED_BY(mu_) = 0;  // size of the log
  uint64_t signed_ ABSL_GUARDED_BY(mu_) = 0;    // size of the newest checkpoint
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  absl::Status fork_;  // set while opening only
  std::thread thread_;
};

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_CHECKPOINT_KEEPER_H_
