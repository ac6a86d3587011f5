// SHA-256 (FIPS 180-4), so that the final image needs no library for it.
#pragma once

#include <string>

namespace sut {

// 64 hex digits.
std::string sha256(const std::string& text);

}  // namespace sut
