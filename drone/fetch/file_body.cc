#include "drone/fetch/file_body.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/fetch/file_errors.h"

namespace chartly::drone {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;

absl::Status CutOffError(const std::string& name, absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "SOURCE_TRUNCATED", absl::StrCat(name, ": ", what), {{"path", name}});
}

}  // namespace

absl::StatusOr<size_t> OpenFile::ReadAt(uint64_t offset, char* out, size_t size) const {
  size_t read = 0;
  while (read < size) {
    ssize_t count = ::pread(fd_, out + read, size - read, static_cast<off_t>(offset + read));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(name_, errno);
    if (count == 0) break;
    read += static_cast<size_t>(count);
  }
  return read;
}

absl::StatusOr<uint64_t> OpenFile::Size() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return FileError(name_, errno);
  return static_cast<uint64_t>(info.st_size);
}

FileBody::FileBody(std::shared_ptr<OpenFile> file, uint64_t offset, uint64_t size)
    : file_(std::move(file)), offset_(offset), left_(size) {}

absl::StatusOr<absl::string_view> FileBody::Read() {
  piece_.resize(static_cast<size_t>(std::min<uint64_t>(left_, kPieceBytes)));
  ASSIGN_OR_RETURN(size_t read, file_->ReadAt(offset_, piece_.data(), piece_.size()));
  offset_ += read;
  left_ -= read;
  return absl::string_view(piece_).substr(0, read);
}

UnpackedBody::UnpackedBody(std::unique_ptr<Body> packed, std::unique_ptr<net::Unpacker> unpacker, std::string name)
    : packed_(std::move(packed)), unpacker_(std::move(unpacker)), name_(std::move(name)), piece_(kPieceBytes, '\0') {}

absl::StatusOr<absl::string_view> UnpackedBody::Read() {
  absl::StatusOr<absl::string_view> piece = Next();
  if (!piece.ok()) return piece;
  given_ += static_cast<int64_t>(piece->size());
  absl::Status ratio = net::CheckRatio(taken_ - static_cast<int64_t>(input_.size()), given_);
  if (!ratio.ok()) return Annotate(ratio, name_);
  return piece;
}

absl::StatusOr<absl::string_view> UnpackedBody::Next() {
  while (true) {
    absl::StatusOr<size_t> size = unpacker_->Unpack(input_, piece_.data(), piece_.size());
    if (!size.ok()) return Annotate(size.status(), name_);
    if (*size > 0) return absl::string_view(piece_).substr(0, *size);
    if (!input_.empty()) continue;
    if (ended_ && !unpacker_->complete()) return CutOffError(name_, "the compressed file stops in the middle");
    if (ended_) return absl::string_view();
    ASSIGN_OR_RETURN(input_, packed_->Read());
    taken_ += static_cast<int64_t>(input_.size());
    ended_ = input_.empty();
  }
}

CheckedBody::CheckedBody(std::unique_ptr<Body> body, uint64_t size, uint32_t crc32, std::string name)
    : body_(std::move(body)), size_(size), crc32_(crc32), name_(std::move(name)) {}

absl::StatusOr<absl::string_view> CheckedBody::Read() {
  ASSIGN_OR_RETURN(absl::string_view piece, body_->Read());
  seen_ += piece.size();
  if (!piece.empty()) {
    seen_crc32_ = static_cast<uint32_t>(
        ::crc32(seen_crc32_, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size())));
  }
  bool whole = seen_ == size_ && seen_crc32_ == crc32_;
  if (seen_ > size_ || (piece.empty() && !whole)) {
    return CutOffError(name_, "it is not what the archive says it is (size or checksum)");
  }
  return piece;
}

}  // namespace chartly::drone
