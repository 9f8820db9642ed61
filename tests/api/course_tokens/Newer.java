import io.jsonwebtoken.Jwts;
import io.jsonwebtoken.security.Keys;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;

/** Signs a token as the user-service of the course's newer branches does: secret, user, seconds. */
public class Newer {
    public static void main(String[] args) {
        var key = Keys.hmacShaKeyFor(Base64.getEncoder().encode(args[0].getBytes()));
        Instant now = Instant.now();
        System.out.println(Jwts.builder()
                .subject(args[1])
                .expiration(Date.from(now.plusSeconds(Long.parseLong(args[2]))))
                .issuedAt(Date.from(now))
                .signWith(key)
                .compact());
    }
}
