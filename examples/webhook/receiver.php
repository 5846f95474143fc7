<?php // Receives what `zego-record serve` forwards: php -S 127.0.0.1:8000 receiver.php
$keys = array_map(fn($s) => base64_decode(preg_replace('/^whsec_/', '', trim($s))), explode(',', getenv('ZEGO_RECORD_FORWARD_SECRET')));

function is_genuine(array $keys, string $body): bool {
    [$id, $sent, $given] = array_map(fn($name) => $_SERVER["HTTP_WEBHOOK_$name"] ?? '', ['ID', 'TIMESTAMP', 'SIGNATURE']);
    if (!ctype_digit($sent) || abs(time() - (int) $sent) > 300) return false;
    foreach ($keys as $key) {
        $right = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$sent.$body", $key, true));
        foreach (explode(' ', $given) as $one) if (hash_equals($right, $one)) return true;
    }
    return false;
}

$body = file_get_contents('php://input');
$genuine = is_genuine($keys, $body);
http_response_code($genuine ? 200 : 401);
if ($genuine) { // webhook-id is the same for every attempt: put a unique column on it
    file_put_contents('php://stderr', $_SERVER['HTTP_WEBHOOK_ID'] . ' ' . json_decode($body)->data->stream_alias . "\n");
}
