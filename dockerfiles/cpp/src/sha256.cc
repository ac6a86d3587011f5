#include "sha256.h"

#include <array>
#include <cstdint>

namespace sut {

namespace {

constexpr std::array<uint32_t, 64> kRounds = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<uint32_t, 8>;

uint32_t turned(uint32_t word, int by) { return word >> by | word << (32 - by); }

void add_block(const unsigned char* block, State* state) {
    std::array<uint32_t, 64> words{};
    for (size_t i = 0; i < 16; ++i)
        words[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
                   uint32_t{block[4 * i + 2]} << 8 | uint32_t{block[4 * i + 3]};
    for (size_t i = 16; i < 64; ++i) {
        const uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) +
                   (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
    }
    State now = *state;
    for (size_t i = 0; i < 64; ++i) {
        const uint32_t a = now[0], e = now[4];
        const uint32_t one = now[7] + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) +
                             ((e & now[5]) ^ (~e & now[6])) + kRounds[i] + words[i];
        const uint32_t two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) +
                             ((a & now[1]) ^ (a & now[2]) ^ (now[1] & now[2]));
        now = {one + two, now[0], now[1], now[2], now[3] + one, now[4], now[5], now[6]};
    }
    for (size_t i = 0; i < 8; ++i) (*state)[i] += now[i];
}

}  // namespace

std::string sha256(const std::string& text) {
    State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const size_t whole = text.size() / 64 * 64;
    for (size_t start = 0; start < whole; start += 64) add_block(bytes + start, &state);
    std::string rest = text.substr(whole) + '\x80';
    rest.resize((rest.size() + 8 + 63) / 64 * 64);
    const uint64_t bits = uint64_t{text.size()} * 8;
    for (size_t i = 0; i < 8; ++i) rest[rest.size() - 1 - i] = static_cast<char>(bits >> (8 * i));
    for (size_t start = 0; start < rest.size(); start += 64)
        add_block(reinterpret_cast<const unsigned char*>(rest.data()) + start, &state);
    static const char* const kDigits = "0123456789abcdef";
    std::string hex;
    for (const uint32_t word : state)
        for (int shift = 28; shift >= 0; shift -= 4) hex += kDigits[word >> shift & 0xf];
    return hex;
}

}  // namespace sut
